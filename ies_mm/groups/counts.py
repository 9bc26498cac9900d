"""Counts of predictions by class, and metrics computed from them."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Counted = NDArray[np.int64]
"""(C,), one number per class."""


@dataclass(frozen=True)
class Counts:
    """Counts of images, pixels or boxes: a confusion matrix's margins.

    Attributes:
        hits (ndarray): int64 (C,), correctly predicted as the class.
        predicted (ndarray): int64 (C,), predicted as the class.
        actual (ndarray): int64 (C,), actually of the class.
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
        """The counts of some classes."""
        return Counts(
            self.hits[classes], self.predicted[classes], self.actual[classes]
        )


def accuracy(counts: Counts) -> float:
    """The fraction predicted correctly; NaN without any."""
    return _ratio(counts.hits.sum(), counts.actual.sum())


def recall(counts: Counts, positive: int | None = None) -> float:
    """The fraction of the positives that was found.

    Args:
        counts (Counts): Counts for any number of classes.
        positive (int, optional): The positive class. Defaults to None: the
            mean over classes that occur.
    """
    if positive is not None:
        return _ratio(counts.hits[positive], counts.actual[positive])
    return _mean(counts.hits, counts.actual)


def mean_iou(counts: Counts) -> float:
    """Intersection over union, averaged over classes that occur."""
    union = counts.predicted + counts.actual - counts.hits
    return _mean(counts.hits, union)


def selection_rate(counts: Counts, positive: int) -> float:
    """The fraction predicted as positive."""
    return _ratio(counts.predicted[positive], counts.actual.sum())


def demographic_parity_difference(
    groups: Mapping[str, Counts], positive: int
) -> float:
    """Largest minus smallest selection rate of the groups; 0 is parity.

    Appendix I of the paper; fairlearn's metric of the same name.

    Args:
        groups (mapping): Group -> counts, with at least one image each.
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
