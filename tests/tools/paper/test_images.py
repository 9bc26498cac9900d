"""The CIFAR-10 images of the small scale."""

import tarfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """More images than needed, and some unrelated files."""
    for split, number in (('train', 102), ('test', 3)):
        for name in ('cat', 'dog'):
            folder = tmp_path / 'images' / split / name
            folder.mkdir(parents=True)
            for k in range(number):
                shade = np.full((4, 4, 3), k, dtype=np.uint8)
                cv2.imwrite(str(folder / f'{k:04}.jpg'), shade)
    (tmp_path / 'images' / 'other').mkdir()
    (tmp_path / 'images' / 'other' / 'x.jpg').touch()
    return tmp_path / 'images'


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
