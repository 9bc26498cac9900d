"""The same seed gives the same bytes; another one, other images."""

import filecmp
from pathlib import Path

from voc_files import IMAGES, files, run


def test_same_seed_same_bytes(devkit: Path, tmp_path: Path) -> None:
    run(tmp_path, '--images', IMAGES, '--seed', 3)
    again = tmp_path / 'VOCdevkit'
    names = files(devkit)
    assert files(again) == names
    same, *others = filecmp.cmpfiles(devkit, again, names, shallow=False)
    assert same == names
    assert others == [[], []]


def test_other_seed_other_pictures(devkit: Path, tmp_path: Path) -> None:
    run(tmp_path, '--images', 6, '--seed', 4)
    for path in tmp_path.glob('VOCdevkit/VOC2007/JPEGImages/*.jpg'):
        other = devkit / 'VOC2007/JPEGImages' / path.name
        assert other.read_bytes() != path.read_bytes()
