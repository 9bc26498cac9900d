"""The labels of a training dataset, as listed there."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ies_mm.errors import ConfigError
from ies_mm.labels.boxes import Boxes
from ies_mm.labels.data import Images, Info
from ies_mm.labels.file import NoisyLabels
from ies_mm.labels.noise import Labels

Row = tuple[int, int, int, tuple[float, ...]]
"""Image, index within the image, class, box (empty for classifiers)."""


def listed(images: Images) -> NoisyLabels:
    """The labels of the images; the noisy labels equal the clean ones.

    Boxes that training ignores are not included.

    Raises:
        ConfigError: There are no labels, or they are neither one class nor
            boxes per image.
    """
    rows = [
        row
        for image, info in enumerate(images.infos())
        for row in _rows(image, info)
    ]
    if not rows:
        raise ConfigError('the training images have no labels to change')
    image, number, clean = np.array([row[:3] for row in rows], np.int64).T
    boxes = np.array([row[3] for row in rows if row[3]], np.float32)
    boxes = boxes.reshape(-1, 4)
    return NoisyLabels(
        kind='clean',
        ratio=float('nan'),
        seed=0,
        classes=images.classes,
        identity=images.identity,
        image=image,
        number=number,
        clean=clean,
        noisy=clean,
        clean_boxes=boxes,
        noisy_boxes=boxes,
    )


def sizes_of(images: Images, image: Labels) -> Boxes:
    """Width and height of the image of each label, float32 (B, 2).

    Args:
        images (Images): All images.
        image (ndarray): int64 (B,), the image of each label.
    """
    # Some datasets know the size only once an image is loaded.
    sizes = [
        (info.get('width', np.inf), info.get('height', np.inf))
        for info in images.infos()
    ]
    found: NDArray[np.float32] = np.array(sizes, np.float32)[image]
    return found


def _rows(image: int, info: Info) -> Iterator[Row]:
    if 'instances' in info:
        yield from _of_boxes(image, info['instances'])
    elif np.ndim(info.get('gt_label', [])) == 0:
        yield image, 0, int(info['gt_label']), ()
    else:
        raise ConfigError(
            'train_dataloader.dataset lists neither one class nor boxes for '
            'each image; noisy labels are for detectors and single-label '
            'classifiers'
        )


def _of_boxes(image: int, instances: list[dict[str, Any]]) -> Iterator[Row]:
    for number, found in enumerate(instances):
        if not found.get('ignore_flag'):
            box = tuple(float(x) for x in found['bbox'])
            yield image, number, int(found['bbox_label']), box
