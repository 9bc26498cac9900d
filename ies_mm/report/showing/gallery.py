"""Which images of a run are worth a look."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ies_mm.errors import ConfigError
from ies_mm.report.instances import INSTANCES, Tables, read_tables
from ies_mm.report.reading.runs import Run

IMAGES_SHOWN = 6


@dataclass(frozen=True)
class Instances:
    """What a run kept of its images.

    Attributes:
        names (list of str): Path of each of N images.
        epochs (ndarray): int (E,), the epochs kept.
        losses (ndarray): float32 (E, N), sum of the terms, NaN where an image
            was not observed.
        excluded (ndarray): bool (E, N).
        terms (list of str): Names of the terms.
    """

    names: list[str]
    epochs: NDArray[np.int64]
    losses: NDArray[np.float32]
    excluded: NDArray[np.bool_]
    terms: list[str]

    @property
    def from_the_start(self) -> bool:
        """Whether no epoch was dropped."""
        return len(self.epochs) > 0 and int(self.epochs[0]) == 1


@dataclass(frozen=True)
class Shelf:
    """Some images under a heading; ``images`` are their numbers."""

    title: str
    images: list[int]


def read_instances(run: Run) -> Instances | None:
    """The images of a run, None if it kept nothing of them.

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
            f'{error}; remove it, and the page will do without this gallery'
        ) from error


def shelves(instances: Instances) -> list[Shelf]:
    """Headings and images; those without any are left out."""
    if not instances.excluded.any():
        return []
    if instances.from_the_start:
        found = _of_a_whole_run(instances)
    else:
        found = _of_last_epochs(instances)
    return [shelf for shelf in found if shelf.images]


def times_taken_back(excluded: NDArray[np.bool_]) -> NDArray[np.int64]:
    """How often each image was trained again after an epoch without it.

    Where a whole epoch trains on everything, nothing was taken back for its
    own sake (annealing).
    """
    selected = excluded[1:].any(axis=1, keepdims=True)
    back = excluded[:-1] & ~excluded[1:] & selected
    return np.asarray(back.sum(axis=0))


def _instances(tables: Tables, records: Sequence[dict[str, Any]]) -> Instances:
    epochs = tables.epochs
    # An image that a dropped last batch held was not left out by the method.
    counts = {record['epoch']: record['excluded'] for record in records}
    some = np.array([counts.get(int(e), 0) > 0 for e in epochs], dtype=bool)
    return Instances(
        names=tables.identity,
        epochs=epochs,
        losses=tables.losses.sum(axis=2),
        excluded=~tables.trained & some[:, None],
        terms=tables.terms,
    )


def _of_a_whole_run(instances: Instances) -> list[Shelf]:
    excluded = instances.excluded
    out = np.flatnonzero(excluded.any(axis=0))
    first = excluded.argmax(axis=0)
    often = excluded.sum(axis=0)
    back = times_taken_back(excluded)
    returned = out[back[out] > 0]
    return [
        Shelf('Excluded first', _top(out, [first, -often])),
        Shelf('Excluded last', _top(out, [-first, often])),
        Shelf('Most often taken back', _top(returned, [-back, -often])),
        _never(instances, 'Never excluded'),
    ]


def _of_last_epochs(instances: Instances) -> list[Shelf]:
    out = np.flatnonzero(instances.excluded.any(axis=0))
    often = instances.excluded.sum(axis=0)
    return [
        Shelf('Most often excluded in these epochs', _top(out, [-often])),
        _never(instances, 'Never excluded in these epochs'),
    ]


def _never(instances: Instances, title: str) -> Shelf:
    """Highest last loss first."""
    never = np.flatnonzero(~instances.excluded.any(axis=0))
    losses = _last_observed(instances.losses)
    losses[np.isnan(losses)] = -np.inf
    return Shelf(title, _top(never, [-losses]))


def _last_observed(losses: NDArray[np.float32]) -> NDArray[np.float32]:
    seen = ~np.isnan(losses)
    newest = len(losses) - 1 - seen[::-1].argmax(axis=0)
    found: NDArray[np.float32] = losses[newest, np.arange(losses.shape[1])]
    return found


def _top(images: NDArray[Any], keys: Sequence[NDArray[Any]]) -> list[int]:
    """The first by the keys; images that are equal in them by number."""
    order = np.lexsort([key[images] for key in reversed(keys)])
    return [int(image) for image in images[order][:IMAGES_SHOWN]]
