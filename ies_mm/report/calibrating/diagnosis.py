"""What a criterion would have pruned in a recorded run, and what it sees."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ies_mm.core import Criterion
from ies_mm.core.lengths import ORDERS, shortest, with_foresight
from ies_mm.errors import ConfigError
from ies_mm.report.calibrating.foresight import (
    Foresight,
    foresight,
    rows_of,
)
from ies_mm.report.calibrating.measures import ceiling, variation
from ies_mm.report.calibrating.noise import Noise
from ies_mm.report.calibrating.recorded import Recorded
from ies_mm.report.calibrating.settings import Setting, setting

QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)
SHARES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5)
TRIED = 0.2
"""Share saved by the delta to try; about the paper's on VOC2007."""


@dataclass(frozen=True)
class Diagnosis:
    """All figures of a run.

    Attributes:
        recorded (Recorded): The run.
        criterion (Criterion): The criterion examined.
        quantiles (ndarray): (E, 5), its ``QUANTILES`` after every epoch.
        foresight (list of Foresight): For the criterion, the plain loss, the
            mean of five losses, the other orders and, if the model has
            several terms, the criterion on all and on any of them.
        ceiling (float): See :func:`measures.ceiling`.
        settings (list of Setting): Deltas that save ``SHARES`` of the
            training.
        tried (Setting): The delta to try.
        noise (Noise, optional): Noise of frozen weights.
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
        """What a perfect criterion would reach: the root of the ceiling."""
        return float(np.sqrt(max(self.ceiling, 0)))

    @property
    def chance(self) -> float:
        """About two standard deviations of unrelated ranks' correlation."""
        return 2 * float(self.recorded.losses.shape[1]) ** -0.5

    @property
    def measured(self) -> bool:
        """Whether the ceiling is above what chance gives."""
        return self.ceiling > self.chance

    @property
    def variations(self) -> NDArray[np.float64]:
        """Variation of the summed loss for each of ``ORDERS``, (4, E)."""
        total = self.recorded.total
        return np.array([variation(total, order) for order in ORDERS])

    @property
    def missing(self) -> str:
        """What the run is too short for; empty if it is long enough."""
        epochs = len(self.recorded.losses)
        needed = with_foresight(self.criterion)
        if epochs >= needed:
            return ''
        return (
            'not given: how well the criterion predicts the further decrease, '
            f'which needs {needed} epochs or more (this run has {epochs})'
        )

    @property
    def relative(self) -> bool:
        """Whether deltas are in units of the terms' first mean losses."""
        return self.criterion.width(self.recorded.terms) > 1


def diagnose(
    recorded: Recorded, criterion: Criterion, noise: Noise | None = None
) -> Diagnosis:
    """Compute all figures.

    Args:
        recorded (Recorded): A run's losses.
        criterion (Criterion): The criterion; its delta is ignored.
        noise (Noise, optional): Noise of frozen weights. Defaults to None.

    In a run too short to compare the criterion with what comes after, these
    figures are NaN, and :attr:`Diagnosis.missing` says so.

    Raises:
        ConfigError: The run is too short for the criterion to prune anything.
        ConfigError: The criterion is zero throughout.
    """
    rows = rows_of(criterion, len(recorded.terms))
    # All are evaluated on the same epochs.
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
            f'the run has {epochs} epochs with losses, in which a criterion '
            f'of order={criterion.order}, window={criterion.window} prunes '
            f'nothing; it needs {needed} or more'
        )
    if not np.isfinite(recorded.total).any(axis=1).all():
        raise ConfigError(
            'the run has epochs without any finite loss; train again'
        )
