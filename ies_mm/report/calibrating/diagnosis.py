"""What a criterion would have done in a recorded run, and what it sees."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ies_mm.core import Criterion
from ies_mm.core.lengths import (
    ORDERS,
    SMOOTH,
    shortest,
    with_foresight,
)
from ies_mm.errors import ConfigError
from ies_mm.report.calibrating.measures import (
    ceiling,
    persistence,
    predictive_power,
    rank_correlation,
    rises,
    variation,
)
from ies_mm.report.calibrating.noise import Noise
from ies_mm.report.calibrating.recorded import Recorded

QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)
SHARES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5)
TRIED = 0.2
"""The share saved by the delta to try, about the paper's on VOC2007."""


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


@dataclass(frozen=True)
class Setting:
    """What a delta would have left out.

    Attributes:
        delta (float): In units of the loss; where several terms are judged,
            in each one's first mean loss.
        saved (float): Part of all instance-epochs.
        first (float): Part of the images in the first epoch that may be
            selected.
        last (float): In the last epoch.
    """

    delta: float
    saved: float
    first: float
    last: float


@dataclass(frozen=True)
class Diagnosis:
    """All figures of a run.

    Attributes:
        recorded (Recorded): The run.
        criterion (Criterion): What was looked at.
        quantiles (ndarray): (E, 5), ``QUANTILES`` of it after every epoch.
        foresight (list of Foresight): Of the criterion, of the plain loss, of
            the mean of five, of the other orders, and of the criterion with
            each option against noise.
        ceiling (float): See :func:`measures.ceiling`.
        settings (list of Setting): For ``SHARES`` of the training saved.
        tried (Setting): The delta to try.
        noise (Noise, optional): Of frozen weights.
    """

    recorded: Recorded
    criterion: Criterion
    quantiles: NDArray[np.float64]
    foresight: list[Foresight]
    ceiling: float
    settings: list[Setting]
    tried: Setting
    noise: Noise | None

    @property
    def best(self) -> float:
        """What a perfect criterion would reach, the root of the ceiling."""
        return float(np.sqrt(max(self.ceiling, 0)))

    @property
    def variations(self) -> NDArray[np.float64]:
        """Of the summed loss by each of ``ORDERS``, (4, E)."""
        total = self.recorded.total
        return np.array([variation(total, order) for order in ORDERS])

    @property
    def missing(self) -> str:
        """What the run is too short for; empty where it is for nothing."""
        epochs = len(self.recorded.losses)
        needed = with_foresight(self.criterion)
        if epochs >= needed:
            return ''
        return (
            'not given: how well the criterion foresees what comes, for which '
            f'a run needs {needed} epochs or more (this one has {epochs})'
        )

    @property
    def relative(self) -> bool:
        """Whether deltas are in units of the terms' first mean losses."""
        return self.criterion.width(self.recorded.terms) > 1


def diagnose(
    recorded: Recorded, criterion: Criterion, noise: Noise | None = None
) -> Diagnosis:
    """Compute everything.

    Args:
        recorded (Recorded): A run's losses.
        criterion (Criterion): Its delta is not looked at.
        noise (Noise, optional): Of frozen weights. Defaults to None.

    In a run too short to compare the criterion with what comes after, these
    figures are NaN, and :attr:`Diagnosis.missing` says so.

    Raises:
        ConfigError: The criterion could not leave anything out in it.
        ConfigError: It has nothing to look at.
    """
    rows = _rows(criterion, len(recorded.terms))
    # All are looked at in the same epochs.
    first = max(row.needed for _, row in rows) - 1
    _check_length(recorded, criterion)
    epochs = len(recorded.losses)
    scores = recorded.scores(criterion)
    if not (scores > 0).any():
        raise ConfigError(
            f'the criterion of terms={criterion.terms!r} is zero throughout; '
            'give other --terms'
        )
    judged = scores[criterion.needed - 1 :]
    quantiles = np.full((epochs, len(QUANTILES)), np.nan)
    quantiles[criterion.needed - 1 :] = np.nanquantile(
        judged, QUANTILES, axis=1
    ).T
    return Diagnosis(
        recorded,
        criterion,
        quantiles,
        [foresight(recorded, *row, first) for row in rows],
        ceiling(recorded.total, first=first),
        [setting(scores, share) for share in SHARES],
        setting(scores, TRIED),
        noise,
    )


def _check_length(recorded: Recorded, criterion: Criterion) -> None:
    epochs, needed = len(recorded.losses), shortest(criterion)
    if epochs < needed:
        raise ConfigError(
            f'the run has {epochs} epochs, in which a criterion of order='
            f'{criterion.order}, window={criterion.window} leaves nothing '
            f'out; it takes {needed} or more'
        )
    if not np.isfinite(recorded.total).any(axis=1).all():
        raise ConfigError(
            'the run has epochs without one finite loss; train again'
        )


def setting(scores: np.ndarray, share: float) -> Setting:
    """The delta that would have saved a share of the training.

    Args:
        scores (ndarray): (E, N), the criterion; NaN before it can judge. What
            is decided after the last epoch saves nothing.
        share (float): Part of all instance-epochs.
    """
    decided = scores[:-1]
    known = np.sort(decided[np.isfinite(decided)])
    count = min(round(share * scores.size), len(known) - 1)
    # Images as flat as the last of them, to the digit, come with it.
    above = known[known > known[max(count - 1, 0)]]
    delta = float(above[0] if len(above) else known[-1])
    out = (decided < delta).mean(axis=1)
    able = np.isfinite(decided).any(axis=1)
    return Setting(
        delta, float(out.sum() / len(scores)), float(out[able][0]), out[-1]
    )


Row = tuple[str, Criterion]


def _rows(criterion: Criterion, terms: int) -> list[Row]:
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
