"""Planting of noise in the labels of a training run."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from mmengine.config import Config

from ies_mm.errors import ConfigError
from ies_mm.labels.boxes import missing, shifted
from ies_mm.labels.data import Images
from ies_mm.labels.file import NoisyLabels
from ies_mm.labels.human import read_human
from ies_mm.labels.listed import listed, sizes_of
from ies_mm.labels.noise import part_dependent, symmetric

FOR_CLASSIFIERS = ('symmetric', 'instance')
FOR_DETECTORS = ('symmetric', 'shift', 'missing')
KINDS = tuple(dict.fromkeys((*FOR_CLASSIFIERS, *FOR_DETECTORS)))


def plant_noise(
    cfg: Config, kind: str, ratio: float, seed: int = 0
) -> NoisyLabels:
    """Change a share of the labels of a training dataset.

    Args:
        cfg (Config): The training config.
        kind (str): 'symmetric': classes of images or boxes change to any
            other one with equal probability; 'instance': classes of images
            change depending on the image (:func:`part_dependent`); 'shift'
            and 'missing': boxes of a detector are shifted or removed.
        ratio (float): Share of the labels, above 0 and below 1.
        seed (int): Seed of the noise. Defaults to 0.

    Raises:
        ConfigError: The dataset has no such labels, or ``ratio`` is out of
            range.
    """
    if not 0 < ratio < 1:
        raise ConfigError(
            f'--ratio {ratio:g} is not a share of the labels; give a number '
            'above 0 and below 1'
        )
    images = Images(cfg)
    clean = replace(listed(images), kind=kind, ratio=ratio, seed=seed)
    kinds = FOR_DETECTORS if clean.has_boxes else FOR_CLASSIFIERS
    if kind not in kinds:
        raise ConfigError(
            f'--kind {kind} does not apply to these labels, which are '
            f'{"boxes" if clean.has_boxes else "classes of images"}; '
            f'give {" or ".join(kinds)}'
        )
    return _with_noise(clean, images)


def human_labels(cfg: Config, file: Path, column: str | None) -> NoisyLabels:
    """Use human labels as the noisy ones.

    Args:
        cfg (Config): Config of a training run on CIFAR-10 or CIFAR-100.
        file (Path): See :func:`read_human`.
        column (str, optional): See :func:`read_human`.

    Raises:
        ConfigError: The file cannot be read, or is for other images.
    """
    clean = listed(Images(cfg))
    theirs, noisy = read_human(file, column)
    if clean.has_boxes or not np.array_equal(theirs, clean.clean):
        raise ConfigError(
            f'{file} has {len(theirs)} images whose classes are not those '
            f"of the config's {len(clean.clean)}; give the config of the "
            'matching CIFAR dataset, with all of its training images'
        )
    kind = f'human {column}' if column else 'human'
    return replace(clean, kind=kind, noisy=noisy)


def _with_noise(clean: NoisyLabels, images: Images) -> NoisyLabels:
    kind, ratio, labels = clean.kind, clean.ratio, clean.clean
    classes, generator = len(clean.classes), np.random.default_rng(clean.seed)
    if kind == 'instance':
        noisy = part_dependent(
            images.pixels, labels, classes, ratio, clean.seed
        )
        return replace(clean, noisy=noisy)
    if kind == 'shift':
        boxes, sizes = clean.clean_boxes, sizes_of(images, clean.image)
        moved = shifted(boxes, sizes, ratio, generator)
        return replace(clean, noisy_boxes=moved)
    if kind == 'missing':
        return replace(clean, noisy=missing(labels, ratio, generator))
    noisy = symmetric(labels, classes, ratio, generator)
    return replace(clean, noisy=noisy)
