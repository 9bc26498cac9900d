"""The images of the small scale, in the layout that its config needs."""

import shutil
from pathlib import Path

import cv2
import numpy as np
from sklearn.datasets import load_digits

from ies_mm.commands.image_files import SPLITS, image_files
from ies_mm.errors import ConfigError

ARCHIVE = (
    Path(__file__).resolve().parents[3] / 'shared/data/cifar10_jpeg.tar.gz'
)
"""Default source of the images."""

OF_A_CLASS = 100
"""Number of images per class and split."""

COMPLETE = 'complete'
"""File that marks a complete copy."""


GROUPS = 'groups'
"""Folder of the two classes of Table 14, and its file of groups."""

DIGITS = 'digits'
VEHICLES = ('airplane', 'automobile', 'ship', 'truck')
TINTED = dict(animal=0.8, vehicle=0.3)
"""Chance of the tint by class, the two groups of Table 14."""

TINT = 60
"""Added to the red of an image, of 255."""


def small_images(source: Path | None, out: Path) -> None:
    """Copy the first images of every class, once.

    Args:
        source (Path, optional): Folder or tar archive of
            ``{train,test}/<class>/*.jpg``. None for :data:`ARCHIVE`, or for
            an existing copy.
        out (Path): Folder of the copy.

    Raises:
        ConfigError: The source does not exist or has no such files, or
            ``out`` is a copy of another source.
    """
    if (out / COMPLETE).exists():
        _check_copied(source, out)
        return
    source = source or ARCHIVE
    _check_source(source)
    found: dict[tuple[str, str], list[tuple[str, bytes]]] = {}
    for split, name, file, data in image_files(source):
        found.setdefault((split, name), []).append((file, data))
    if {split for split, _ in found} != {*SPLITS}:
        raise ConfigError(
            f'--data {source}: needs train/<class>/*.jpg and '
            'test/<class>/*.jpg, in a folder or a tar archive'
        )
    for (split, name), files in found.items():
        folder = out / split / name
        folder.mkdir(parents=True, exist_ok=True)
        for file, data in sorted(files)[:OF_A_CLASS]:
            (folder / file).write_bytes(data)
    (out / COMPLETE).write_text(str(source.resolve()))


def grouped_images(images: Path, seed: int = 0) -> None:
    """Sort the images into two classes with a planted attribute, once.

    They stand for CelebA: animal or vehicle for attractive or not, reddish or
    plain for the gender, which is as unequally distributed.

    Args:
        images (Path): The copy of :func:`small_images`; a folder is added.
        seed (int): Seed of the draw. Defaults to 0.
    """
    out = images / GROUPS
    if (out / COMPLETE).exists():
        return
    draw = np.random.default_rng(seed)
    lines = []
    for path in sorted(images.glob('t*/*/*.jpg')):
        split, name = path.parts[-3:-1]
        kind = 'vehicle' if name in VEHICLES else 'animal'
        tinted = draw.random() < TINTED[kind]
        file = out / split / kind / f'{name}_{path.name}'
        file.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.asarray(cv2.imread(str(path)))
        if tinted:
            red = pixels[..., 2].astype(int) + TINT
            pixels[..., 2] = red.clip(max=255)
        cv2.imwrite(str(file), pixels)
        group = 'reddish' if tinted else 'untinted'
        lines.append(f'{split}/{kind}/{file.name},{group}\n')
    (out / 'groups.csv').write_text(''.join(lines))
    (out / COMPLETE).touch()


def other_classes(images: Path) -> None:
    """Make the datasets of the transfer tables, once.

    Five classes to pretrain on (``five``), the other five (``others``), and
    the digits that scikit-learn ships, at four times their size.

    Args:
        images (Path): The copy of :func:`small_images`; folders are added.
    """
    if (images / DIGITS / COMPLETE).exists():
        return
    classes = sorted(path.name for path in (images / 'train').iterdir())
    for name, part in (('five', classes[:5]), ('others', classes[5:])):
        for split in SPLITS:
            for kind in part:
                shutil.copytree(
                    images / split / kind,
                    images / name / split / kind,
                    dirs_exist_ok=True,
                )
    digits = load_digits()
    for number, (pixels, label) in enumerate(
        zip(digits.images, digits.target, strict=True)
    ):
        split = 'test' if number % 3 == 0 else 'train'
        folder = images / DIGITS / split / str(label)
        folder.mkdir(parents=True, exist_ok=True)
        # Its values are 0 to 16.
        large = np.kron(pixels * 15.9, np.ones((4, 4))).astype(np.uint8)
        cv2.imwrite(str(folder / f'{number:04}.jpg'), large)
    (images / DIGITS / COMPLETE).touch()


def _check_copied(source: Path | None, out: Path) -> None:
    before = (out / COMPLETE).read_text()
    if source is not None and str(source.resolve()) != before:
        raise ConfigError(
            f'{out} was copied from {before}, not from {source}; give '
            'another --out'
        )


def _check_source(source: Path) -> None:
    if not source.exists():
        raise ConfigError(
            f'--data {source}: there is no such folder or archive; it needs '
            'train/<class>/*.jpg and test/<class>/*.jpg of CIFAR-10'
        )
