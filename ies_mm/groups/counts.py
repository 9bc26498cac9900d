"""What is counted of predictions, class by class, and what it amounts to."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Counted = NDArray[np.int64]
"""(C,), a number for each class."""


@dataclass(frozen=True)
class Counts:
    """Of images, pixels or boxes: what a confusion table's margins say.

    Attributes:
        hits (ndarray): int64 (C,), those of a class that were found.
        predicted (ndarray): int64 (C,), those that were taken for it.
        actual (ndarray): int64 (C,), those that there are.
    """

    hits: Counted
    predicted: Counted
    actual: Counted

    def __add__(self, other: 'Counts') -> 'Counts':
        return Counts(
            self.hits + other.hits,
            self.predicted + other.predicted,
            self.actual + other.actual,
        )

    def of(self, classes: list[int]) -> 'Counts':
        """Those of some classes."""
        return Counts(
            self.hits[classes], self.predicted[classes], self.actual[classes]
        )


def accuracy(counts: Counts) -> float:
    """The part of all that was found; NaN where there is nothing."""
    return _ratio(counts.hits.sum(), counts.actual.sum())


def recall(counts: Counts, positive: int | None = None) -> float:
    """The part of the positives that was found.

    Args:
        counts (Counts): Of any number of classes.
        positive (int, optional): The positive class. Defaults to None, the
            mean over classes of which there is something.
    """
    if positive is not None:
        return _ratio(counts.hits[positive], counts.actual[positive])
    return _mean(counts.hits, counts.actual)


def mean_iou(counts: Counts) -> float:
    """Intersection over union, the mean over classes that occur."""
    union = counts.predicted + counts.actual - counts.hits
    return _mean(counts.hits, union)


def selection_rate(counts: Counts, positive: int) -> float:
    """The part that is predicted as positive."""
    return _ratio(counts.predicted[positive], counts.actual.sum())


def demographic_parity_difference(
    groups: Mapping[str, Counts], positive: int
) -> float:
    """Largest minus smallest selection rate of groups; 0 is parity.

    Appendix I of the paper; fairlearn's metric of the same name.

    Args:
        groups (mapping): Group -> its counts; at least one image in each.
        positive (int): The positive class.
    """
    rates = [selection_rate(counts, positive) for counts in groups.values()]
    return max(rates) - min(rates)


def _ratio(part: np.int64, whole: np.int64) -> float:
    return float(part / whole) if whole else float('nan')


def _mean(parts: Counted, wholes: Counted) -> float:
    known = wholes > 0
    if not known.any():
        return float('nan')
    return float((parts[known] / wholes[known]).mean())
