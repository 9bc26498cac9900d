"""Masks of the generated data: objects, void, palette."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from voc_files import VOC_CLASSES, boxes, extent

VOC_COLOURS = {
    0: (0, 0, 0),
    1: (128, 0, 0),
    2: (0, 128, 0),
    7: (128, 128, 128),
    8: (64, 0, 0),
    15: (192, 128, 128),
    20: (0, 64, 128),
    255: (224, 224, 192),
}


def test_boxes_are_the_extents_of_the_masks(devkit: Path) -> None:
    folder = devkit / 'VOC2012'
    exact = total = 0
    for path in (folder / 'SegmentationObject').iterdir():
        objects = np.asarray(Image.open(path))
        classes = np.asarray(
            Image.open(folder / 'SegmentationClass' / path.name)
        )
        found = boxes(folder / f'Annotations/{path.stem}.xml')
        assert set(np.unique(objects)) - {0, 255} == set(
            range(1, len(found) + 1)
        )
        for number, (label, box) in enumerate(found, start=1):
            pixels = objects == number
            assert set(classes[pixels]) == {VOC_CLASSES.index(label)}
            # The void of an object in front may cover a pixel at a side, or
            # a thin end that peeks out from behind it.
            inner = extent(pixels)
            assert np.less_equal(box[:2], inner[:2]).all()
            assert np.greater_equal(box[2:], inner[2:]).all()
            exact += inner == box
            total += 1
        assert ((objects == 255) == (classes == 255)).all()
    assert exact > 0.9 * total


def test_void_lies_between_an_object_and_the_rest(devkit: Path) -> None:
    for path in (devkit / 'VOC2012/SegmentationObject').iterdir():
        mask = np.asarray(Image.open(path)).astype(int)
        for one, other in (
            (mask[:, 1:], mask[:, :-1]),
            (mask[1:], mask[:-1]),
        ):
            bare = (one != other) & (one != 255) & (other != 255)
            assert not bare.any(), path


@pytest.mark.parametrize('kind', ['SegmentationClass', 'SegmentationObject'])
def test_masks_have_the_palette_of_voc(devkit: Path, kind: str) -> None:
    path = next((devkit / 'VOC2012' / kind).iterdir())
    with Image.open(path) as mask:
        assert mask.mode == 'P'
        palette = mask.getpalette() or []
    for value, colour in VOC_COLOURS.items():
        assert tuple(palette[3 * value : 3 * value + 3]) == colour
