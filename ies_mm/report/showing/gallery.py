"""The images of a run that are worth a look."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ies_mm.report.reading.run_instances import Instances, times_reincluded

IMAGES_SHOWN = 6


@dataclass(frozen=True)
class Shelf:
    """Some images under a heading; ``images`` are their indices."""

    title: str
    images: list[int]


def shelves(instances: Instances) -> list[Shelf]:
    """Headings with their images; empty ones are omitted."""
    if not instances.excluded.any():
        return []
    if instances.from_the_start:
        found = _of_a_whole_run(instances)
    else:
        found = _of_last_epochs(instances)
    return [shelf for shelf in found if shelf.images]


def _of_a_whole_run(instances: Instances) -> list[Shelf]:
    excluded = instances.excluded
    out = np.flatnonzero(excluded.any(axis=0))
    first = excluded.argmax(axis=0)
    often = excluded.sum(axis=0)
    back = times_reincluded(excluded)
    returned = out[back[out] > 0]
    return [
        Shelf('Pruned first', _top(out, [first, -often])),
        Shelf('Pruned last', _top(out, [-first, often])),
        Shelf('Most often re-included', _top(returned, [-back, -often])),
        _never(instances, 'Never pruned'),
    ]


def _of_last_epochs(instances: Instances) -> list[Shelf]:
    out = np.flatnonzero(instances.excluded.any(axis=0))
    often = instances.excluded.sum(axis=0)
    return [
        Shelf('Most often pruned in these epochs', _top(out, [-often])),
        _never(instances, 'Never pruned in these epochs'),
    ]


def _never(instances: Instances, title: str) -> Shelf:
    """Images never pruned, highest last loss first."""
    never = np.flatnonzero(~instances.excluded.any(axis=0))
    losses = _last_observed(instances.losses)
    losses[np.isnan(losses)] = -np.inf
    return Shelf(title, _top(never, [-losses]))


def _last_observed(losses: NDArray[np.float32]) -> NDArray[np.float32]:
    seen = ~np.isnan(losses)
    # An image that was never observed gets the last row, which is NaN.
    newest = len(losses) - 1 - seen[::-1].argmax(axis=0)
    found: NDArray[np.float32] = losses[newest, np.arange(losses.shape[1])]
    return found


def _top(images: NDArray[Any], keys: Sequence[NDArray[Any]]) -> list[int]:
    """The first images by the keys.

    Ties are broken at random, since many datasets are sorted by class.
    """
    chance = np.random.default_rng(0).permutation(len(keys[0]))
    order = np.lexsort([key[images] for key in (chance, *reversed(keys))])
    return [int(image) for image in images[order][:IMAGES_SHOWN]]
