"""The CIFAR-10 images of the small scale."""

import tarfile
from pathlib import Path
from typing import Any

import pytest


@pytest.mark.parametrize('packed', [False, True])
def test_the_first_images_of_every_class(
    part: Any, images: Path, tmp_path: Path, packed: bool
) -> None:
    source, out = images, tmp_path / 'out'
    if packed:
        source = tmp_path / 'images.tar.gz'
        with tarfile.open(source, 'w:gz') as archive:
            archive.add(images, '.')
    part('images').small_images(source, out)
    names = sorted(path.name for path in (out / 'train' / 'cat').iterdir())
    assert names == [f'{k:04}.jpg' for k in range(100)]
    assert len([*(out / 'test' / 'dog').iterdir()]) == 3
    part('images').small_images(None, out)
    with pytest.raises(Exception, match='was copied from'):
        part('images').small_images(tmp_path, out)
