"""Whether a method forgets what it prunes (IES, appendix H)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ies_mm.report.reading.run_instances import Instances, times_taken_back

SHARE = 0.05
"""Of the images: the paper's early removed ones."""

MOMENTS = 4
"""The paper looks at epochs 50, 100, 150 and 200."""


@dataclass(frozen=True)
class Moment:
    """How the images stand after an epoch; means, NaN where not observed.

    Attributes:
        epoch (int): From 1.
        loss (float): Of all images.
        early_loss (float): Of those pruned first.
        accuracy (float): Of all images, 0 to 1; NaN where not recorded.
        early_accuracy (float): Of those pruned first.
    """

    epoch: int
    loss: float
    early_loss: float
    accuracy: float
    early_accuracy: float


@dataclass(frozen=True)
class Forgetting:
    """Tables 12 and 13 of a run.

    Attributes:
        images (int): All of them.
        early (int): Those pruned first that were looked at.
        moments (list of Moment): At about equal distances.
        mean_back (float): How often an early one was re-included.
        most_back (int): The most that one of them was.
    """

    images: int
    early: int
    moments: list[Moment]
    mean_back: float
    most_back: int


def forgetting_of(
    instances: Instances, share: float = SHARE, moments: int = MOMENTS
) -> Forgetting | None:
    """Look at the images that were pruned first.

    Args:
        instances (Instances): Of a run that kept all its epochs.
        share (float): Of all images: how many of the first. Defaults to 5%.
        moments (int): Defaults to 4. At each of them, the last epoch that
            observed any image: while a training mixes images, they are scored
            every few epochs.

    Returns:
        Forgetting: None where nothing was pruned, or epochs were dropped.
    """
    if not instances.from_the_start or not instances.excluded.any():
        return None
    early = first_pruned(instances.excluded, share)
    back = times_taken_back(instances.excluded)[early]
    epochs = len(instances.epochs)
    wanted = (-(-epochs * k // moments) - 1 for k in range(1, moments + 1))
    rows = sorted({_observed_by(row, instances.losses) for row in wanted})
    return Forgetting(
        instances.excluded.shape[1],
        len(early),
        [_moment(instances, early, row) for row in rows],
        float(back.mean()),
        int(back.max()),
    )


def first_pruned(
    excluded: NDArray[np.bool_], share: float, seed: int = 0
) -> NDArray[np.int64]:
    """The images that were pruned first, ascending.

    Of those first pruned in the same epoch, as many as are wanted are drawn:
    many data sets are sorted by class.

    Args:
        excluded (ndarray): bool (E, N).
        share (float): Of the N images, how many; at least one, and no more
            than were pruned at all.
        seed (int): Of the draw. Defaults to 0.
    """
    images = excluded.shape[1]
    first = np.where(excluded.any(axis=0), excluded.argmax(axis=0), images)
    chance = np.random.default_rng(seed).permutation(images)
    wanted = min(
        max(1, round(share * images)), int(excluded.any(axis=0).sum())
    )
    return np.sort(np.lexsort([chance, first])[:wanted])


def _observed_by(row: int, losses: NDArray[np.floating]) -> int:
    """The last row up to this one in which any image was observed."""
    [seen] = np.nonzero(np.isfinite(losses[: row + 1]).any(axis=1))
    return int(seen[-1]) if len(seen) else row


def _moment(
    instances: Instances, early: NDArray[np.int64], row: int
) -> Moment:
    correct = instances.correct
    known = np.full(0, np.nan) if correct is None else correct[row]
    return Moment(
        int(instances.epochs[row]),
        _mean(instances.losses[row]),
        _mean(instances.losses[row][early]),
        _mean(known),
        _mean(known[early]) if len(known) else np.nan,
    )


def _mean(values: NDArray[np.floating]) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean(dtype=np.float64)) if len(known) else np.nan
