"""How well a criterion, and alternatives to it, predict further training."""

from dataclasses import dataclass, replace

import numpy as np

from ies_mm.core import Criterion
from ies_mm.core.lengths import ORDERS, SMOOTH
from ies_mm.report.calibrating.measures import (
    known_mean,
    persistence,
    predictive_power,
    rank_correlation,
    rises,
)
from ies_mm.report.calibrating.recorded import Recorded

Row = tuple[str, Criterion]


@dataclass(frozen=True)
class Foresight:
    """How well a criterion predicts further training.

    Attributes:
        name (str): Name of the criterion.
        persistence (float): Rank correlation with itself, from disjoint
            epochs.
        decrease (float): Rank correlation with the image's further loss
            decrease.
        rise (float): Rank correlation with the rise of the image's loss after
            pruning; NaN if none was pruned.
    """

    name: str
    persistence: float
    decrease: float
    rise: float


def rows_of(criterion: Criterion, terms: int) -> list[Row]:
    """The criterion and the alternatives to it."""
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
    """Evaluate one criterion over the same epochs as the others.

    Args:
        recorded (Recorded): The run.
        name (str): Name of the criterion.
        criterion (Criterion): The criterion.
        first (int): The first epoch, from 0, after which it is evaluated.
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
        known_mean([rank_correlation(a, b) for a, b in pairs]),
    )
