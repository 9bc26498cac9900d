"""How much a criterion says of what comes, and what others say."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ies_mm.core import Criterion
from ies_mm.core.lengths import ORDERS, SMOOTH
from ies_mm.report.calibrating.measures import (
    persistence,
    predictive_power,
    rank_correlation,
    rises,
)
from ies_mm.report.calibrating.recorded import Recorded

Row = tuple[str, Criterion]


@dataclass(frozen=True)
class Foresight:
    """How much a criterion says of what comes.

    Attributes:
        name (str): Of the criterion.
        persistence (float): Rank correlation with itself, from disjoint
            epochs.
        decrease (float): With the image's further loss decrease.
        rise (float): With the image's rise after it was left out; NaN where
            nothing was.
    """

    name: str
    persistence: float
    decrease: float
    rise: float


def rows_of(criterion: Criterion, terms: int) -> list[Row]:
    """The criterion, and others that could take its place."""
    rows = [
        ('the criterion', criterion),
        ('the plain loss', replace(criterion, order=0, window=1)),
        ('mean of five losses', replace(criterion, order=0, window=SMOOTH)),
    ]
    for order in sorted({*ORDERS} - {criterion.order}):
        name = f'order {order}, window {criterion.window}'
        rows.append((name, replace(criterion, order=order)))
    if terms > 1:
        for judged in ('all', 'any'):
            rows.append(
                (f"terms='{judged}'", replace(criterion, terms=judged))
            )
    return rows


def foresight(
    recorded: Recorded,
    name: str,
    criterion: Criterion,
    first: int,
) -> Foresight:
    """Of one criterion, over the same epochs as the others.

    Args:
        recorded (Recorded): The run.
        name (str): Of the criterion.
        criterion (Criterion): Which.
        first (int): The first epoch, from 0, after which it is looked at.
    """
    scores = recorded.scores(criterion)
    scores[:first] = np.nan
    total = recorded.total
    rise = rises(total, recorded.trained)
    pairs = zip(scores, rise, strict=True)
    return Foresight(
        name,
        persistence(scores, criterion.depth),
        predictive_power(scores, total),
        _mean([rank_correlation(a, b) for a, b in pairs]),
    )


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if np.isfinite(value)]
    return float(np.mean(known)) if known else np.nan
