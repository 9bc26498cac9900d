"""Whether a method forgets what it prunes (IES, appendix H)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ies_mm.report.reading.run_instances import Instances, times_reincluded

SHARE = 0.05
"""Share of the images; the paper's early removed ones."""

MOMENTS = 4
"""Number of epochs examined; the paper's are 50, 100, 150 and 200."""


LEAST_OBSERVED = 0.75
"""The share of the images that an epoch must have observed for a mean.
Unobserved images were pruned, and are easier than the others, so a mean
without them would be too high."""


@dataclass(frozen=True)
class Moment:
    """Mean loss and accuracy after an epoch; NaN where too few were observed.

    Attributes:
        epoch (int): Epoch, counted from 1.
        loss (float): Mean loss of all images.
        early_loss (float): Mean loss of the images pruned first.
        accuracy (float): Accuracy on all images, 0 to 1; NaN if not recorded.
        early_accuracy (float): Accuracy on the images pruned first.
    """

    epoch: int
    loss: float
    early_loss: float
    accuracy: float
    early_accuracy: float


@dataclass(frozen=True)
class Forgetting:
    """The paper's Tables 12 and 13 for a run.

    Attributes:
        images (int): Number of images.
        early (int): Number of examined images, those pruned first.
        moments (list of Moment): Figures at about equal intervals.
        mean_back (float): Mean number of times an early image was re-included.
        most_back (int): The most times that one of them was.
    """

    images: int
    early: int
    moments: list[Moment]
    mean_back: float
    most_back: int


def forgetting_of(
    instances: Instances, share: float = SHARE, moments: int = MOMENTS
) -> Forgetting | None:
    """Examine the images that were pruned first.

    Args:
        instances (Instances): Images of a run that kept all its epochs.
        share (float): Share of all images to examine. Defaults to 5%.
        moments (int): Number of epochs to examine; each is the last one so
            far that observed enough images, since images are only scored
            every few epochs while training mixes them. Defaults to 4.

    Returns:
        Forgetting: None if nothing was pruned, or epochs were dropped.
    """
    if not instances.from_the_start or not instances.excluded.any():
        return None
    early = first_pruned(instances.excluded, share)
    back = times_reincluded(instances.excluded)[early]
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

    Ties between images first pruned in the same epoch are broken at random,
    since many datasets are sorted by class.

    Args:
        excluded (ndarray): bool (E, N).
        share (float): Share of the N images; at least one image, and at most
            as many as were ever pruned.
        seed (int): Seed of the draw. Defaults to 0.
    """
    images = excluded.shape[1]
    # argmax is 0 for images that were never pruned, too.
    first = np.where(excluded.any(axis=0), excluded.argmax(axis=0), images)
    chance = np.random.default_rng(seed).permutation(images)
    wanted = min(
        max(1, round(share * images)), int(excluded.any(axis=0).sum())
    )
    # lexsort sorts by its last key first.
    return np.sort(np.lexsort([chance, first])[:wanted])


def _observed_by(row: int, losses: NDArray[np.floating]) -> int:
    """The last row up to this one in which enough images were observed."""
    observed = np.isfinite(losses[: row + 1]).mean(axis=1)
    [seen] = np.nonzero(observed >= LEAST_OBSERVED)
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
    if not len(known) or len(known) < LEAST_OBSERVED * len(values):
        return np.nan
    return float(known.mean(dtype=np.float64))
