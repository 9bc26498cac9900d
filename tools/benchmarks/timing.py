"""Paired timing within one run."""

import math
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Paired:
    """The cost of a change, relative to the plain call.

    Attributes:
        plain (float): Median seconds of the plain call.
        ratio (float): Median of changed / plain, pair by pair.
        low (float): Lower end of the 95% interval of that median.
        high (float): Upper end.
    """

    plain: float
    ratio: float
    low: float
    high: float


def paired(
    plain: Callable[[], object], changed: Callable[[], object], pairs: int
) -> Paired:
    """Time both calls in pairs, in alternating order, after a warm-up."""
    for _ in range(3):
        plain()
        changed()
    times = []
    for pair in range(pairs):
        if pair % 2:
            late, early = seconds(changed), seconds(plain)
        else:
            early, late = seconds(plain), seconds(changed)
        times.append((early, late))
    ratios = [late / early for early, late in times]
    return Paired(
        statistics.median(early for early, _ in times),
        statistics.median(ratios),
        *median_interval(ratios),
    )


def seconds(call: Callable[[], object]) -> float:
    """Wall time of one call."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def median_interval(values: list[float]) -> tuple[float, float]:
    """95% interval of the median, from the ranks of a binomial count."""
    ranked, count = sorted(values), len(values)
    reach = 0.98 * count**0.5
    low = max(0, math.floor(count / 2 - reach))
    high = min(count - 1, math.ceil(count / 2 + reach))
    return ranked[low], ranked[high]
