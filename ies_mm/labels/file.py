"""The noisy-label file, which also holds the clean labels."""

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
    """Clean and noisy labels of a dataset.

    Attributes:
        kind (str): Kind of noise.
        ratio (float): Requested share; NaN for human labels.
        seed (int): Seed of the noise.
        classes (list of str): Names of the C classes.
        identity (list of str): Path of each of N images below the data root.
            Empty for a dataset without image files, whose images are
            identified by index.
        image (ndarray): int64 (B,), the image of each label, ascending. For
            classifiers, B = N and there is one label per image.
        number (ndarray): int64 (B,), index of each label within its image; 0
            for classifiers.
        clean (ndarray): int64 (B,), clean classes.
        noisy (ndarray): int64 (B,), noisy classes; -1 for missing boxes.
        clean_boxes (ndarray): float32 (B, 4), x1, y1, x2, y2 in pixels;
            (0, 4) for classifiers.
        noisy_boxes (ndarray): float32, of the same shape.
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
        """Whether the labels belong to boxes."""
        return len(self.clean_boxes) > 0

    @property
    def changed(self) -> NDArray[np.bool_]:
        """Which labels differ from the clean ones, bool (B,)."""
        moved = (self.clean_boxes != self.noisy_boxes).any(axis=1)
        other: NDArray[np.bool_] = self.clean != self.noisy
        return other | moved if self.has_boxes else other


def write_labels(path: Path, labels: NoisyLabels) -> None:
    """Write the file atomically.

    Raises:
        ConfigError: The file cannot be written.
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
        ConfigError: The file does not exist or has other content.
    """
    if not path.is_file():
        raise ConfigError(
            f'there is no noisy-label file {path}; make it with '
            'ies-mm make-noisy-labels'
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
    except Exception as error:  # zipfile and NumPy raise all kinds.
        reason = ' '.join(str(error).split()) or type(error).__name__
        raise ConfigError(
            f'{path} is not a noisy-label file: {reason}; make it with '
            'ies-mm make-noisy-labels'
        ) from error
    return labels


def checksum_of(path: Path) -> str:
    """Checksum of a file's content, 16 hexadecimal digits."""
    return hashlib.blake2b(path.read_bytes(), digest_size=8).hexdigest()


_ARRAYS = (
    'image', 'number', 'clean', 'noisy', 'clean_boxes', 'noisy_boxes',
)  # fmt: skip


def _check(labels: NoisyLabels) -> None:
    """Refuse arrays of inconsistent shapes.

    Raises:
        ValueError: A shape is inconsistent; names the array.
    """
    shape = labels.image.shape
    boxes = (*shape, 4) if labels.has_boxes else (0, 4)
    for name in _ARRAYS:
        wanted = boxes if name.endswith('boxes') else shape
        found = getattr(labels, name).shape
        if found != wanted:
            raise ValueError(f'{name} has shape {found}, expected {wanted}')
