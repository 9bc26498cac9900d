"""The per-image records of a run."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ies_mm.errors import ConfigError
from ies_mm.report.instances import (
    INSTANCES,
    Tables,
    excluded_in,
    read_tables,
)
from ies_mm.report.reading.runs import Run


@dataclass(frozen=True)
class Instances:
    """The per-image records of a run.

    Attributes:
        names (list of str): Path of each of N images.
        epochs (ndarray): int (E,), the epochs kept.
        losses (ndarray): float32 (E, N), sum of the terms, NaN where an image
            was not observed.
        excluded (ndarray): bool (E, N).
        terms (list of str): Names of the terms.
        correct (ndarray, optional): float32 (E, N), the fraction of an image
            that was predicted correctly, NaN if unknown. None if this was not
            recorded.
    """

    names: list[str]
    epochs: NDArray[np.int64]
    losses: NDArray[np.float32]
    excluded: NDArray[np.bool_]
    terms: list[str]
    correct: NDArray[np.float32] | None = None

    @property
    def from_the_start(self) -> bool:
        """Whether the epochs from the first on were kept."""
        return len(self.epochs) > 0 and int(self.epochs[0]) == 1


def read_instances(run: Run) -> Instances | None:
    """Read the images of a run; None if it kept none.

    Raises:
        ConfigError: The file is damaged.
    """
    path = run.work_dir / 'ies' / INSTANCES
    if not run.records or not path.exists():
        return None
    try:
        return _instances(read_tables(path), run.records)
    except ConfigError as error:
        raise ConfigError(
            f'{error}; remove it, and the page will omit this gallery'
        ) from error


def times_reincluded(excluded: NDArray[np.bool_]) -> NDArray[np.int64]:
    """How often each image was re-included after an epoch without it.

    Epochs that train on all images (annealing) do not count.
    """
    selected = excluded[1:].any(axis=1, keepdims=True)
    back = excluded[:-1] & ~excluded[1:] & selected
    return np.asarray(back.sum(axis=0))


def _summed(tables: Tables) -> NDArray[np.float32]:
    if not tables.terms:
        # Of a method that reads no losses; a sum of nothing would be zero.
        return np.full(tables.trained.shape, np.nan, dtype=np.float32)
    summed: NDArray[np.float32] = tables.losses.sum(axis=2)
    return summed


def _instances(tables: Tables, records: Sequence[dict[str, Any]]) -> Instances:
    return Instances(
        names=tables.identity,
        epochs=tables.epochs,
        losses=_summed(tables),
        excluded=excluded_in(tables, records),
        terms=tables.terms,
        correct=tables.correct,
    )
