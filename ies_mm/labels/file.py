"""The file of noisy labels, which keeps the clean ones too."""

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ies_mm.errors import ConfigError
from ies_mm.labels.boxes import Boxes
from ies_mm.labels.noise import Labels
from ies_mm.report.files import write_files


@dataclass(frozen=True)
class NoisyLabels:
    """Clean and noisy labels of a data set.

    Attributes:
        kind (str): Of the noise.
        ratio (float): That was asked for; NaN for human labels.
        seed (int): Of the noise.
        classes (list of str): Names of the C classes.
        identity (list of str): Path of each of N images below the root of the
            data. Empty for a data set without image files, whose images are
            known by their index.
        image (ndarray): int64 (B,), the image of each label, ascending. For a
            classifier B is N, an image after the other.
        number (ndarray): int64 (B,), the place of each label among those of
            its image; 0 for a classifier.
        clean (ndarray): int64 (B,), classes.
        noisy (ndarray): int64 (B,), classes; -1 for a box that is missing.
        clean_boxes (ndarray): float32 (B, 4), x1, y1, x2, y2 in pixels;
            (0, 4) for a classifier.
        noisy_boxes (ndarray): float32, as many.
    """

    kind: str
    ratio: float
    seed: int
    classes: list[str]
    identity: list[str]
    image: Labels
    number: Labels
    clean: Labels
    noisy: Labels
    clean_boxes: Boxes
    noisy_boxes: Boxes

    @property
    def has_boxes(self) -> bool:
        """Whether the labels are those of boxes."""
        return len(self.clean_boxes) > 0

    @property
    def changed(self) -> NDArray[np.bool_]:
        """bool (B,), the labels that are not as they were."""
        moved = (self.clean_boxes != self.noisy_boxes).any(axis=1)
        other: NDArray[np.bool_] = self.clean != self.noisy
        return other | moved if self.has_boxes else other


def write_labels(path: Path, labels: NoisyLabels) -> None:
    """Write the file whole, or not at all.

    Raises:
        ConfigError: It cannot be written.
    """
    content = io.BytesIO()
    np.savez_compressed(
        content,
        kind=labels.kind,
        ratio=labels.ratio,
        seed=labels.seed,
        classes=np.asarray(labels.classes, dtype=str),
        identity=np.asarray(labels.identity, dtype=str),
        image=labels.image,
        number=labels.number,
        clean=labels.clean,
        noisy=labels.noisy,
        clean_boxes=labels.clean_boxes,
        noisy_boxes=labels.noisy_boxes,
    )
    write_files(path.parent, {path.name: content.getvalue()})


def read_labels(path: Path) -> NoisyLabels:
    """Read the file.

    Raises:
        ConfigError: It is not there, or holds something else.
    """
    if not path.is_file():
        raise ConfigError(
            f'there is no file {path} of noisy labels; make it with '
            'tools/make_noisy_labels.py'
        )
    try:
        with np.load(path) as found:
            labels = NoisyLabels(
                kind=str(found['kind']),
                ratio=float(found['ratio']),
                seed=int(found['seed']),
                classes=[str(name) for name in found['classes']],
                identity=[str(name) for name in found['identity']],
                **{name: found[name] for name in _ARRAYS},
            )
        _check(labels)
    except Exception as error:  # zipfile and NumPy raise nearly anything
        reason = ' '.join(str(error).split()) or type(error).__name__
        raise ConfigError(
            f'{path} is no file of noisy labels: {reason}; make it with '
            'tools/make_noisy_labels.py'
        ) from error
    return labels


def checksum_of(path: Path) -> str:
    """Of a file's content, 16 hexadecimal digits."""
    return hashlib.blake2b(path.read_bytes(), digest_size=8).hexdigest()


_ARRAYS = (
    'image', 'number', 'clean', 'noisy', 'clean_boxes', 'noisy_boxes',
)  # fmt: skip


def _check(labels: NoisyLabels) -> None:
    """Refuse arrays that do not belong together.

    Raises:
        ValueError: Says which.
    """
    shape = labels.image.shape
    boxes = (*shape, 4) if labels.has_boxes else (0, 4)
    for name in _ARRAYS:
        wanted = boxes if name.endswith('boxes') else shape
        found = getattr(labels, name).shape
        if found != wanted:
            raise ValueError(f'{name} has shape {found}, and not {wanted}')
