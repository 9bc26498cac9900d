"""Figures of a group of runs: means, deviations, speed-up."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from ies_mm.report.reading.runs import Run


@dataclass(frozen=True)
class Spread:
    """A mean over seeds.

    Attributes:
        mean (float): The mean.
        deviation (float, optional): Sample standard deviation; None with one
            seed.
    """

    mean: float
    deviation: float | None


@dataclass(frozen=True)
class Figures:
    """Metrics and costs of a group; None where unknown.

    Attributes:
        best (Spread, optional): The metric's highest value.
        last (Spread, optional): Its last value.
        saved (Spread, optional): Share of the planned instance-epochs not
            trained.
        compute (Spread, optional): Trained pixels, as a share of all at full
            size.
        forward_only (Spread): Instance-epochs scored without training.
        training_seconds (Spread, optional): Time of the training parts; for a
            plain run the same as ``wall_seconds``.
        refresh_seconds (Spread, optional): None for a plain run.
        decision_seconds (Spread, optional): None for a plain run.
        total_seconds (Spread, optional): Wall time of the runs.
        wall_seconds (Spread, optional): Wall time without validations.
    """

    best: Spread | None
    last: Spread | None
    saved: Spread | None
    compute: Spread | None
    forward_only: Spread
    training_seconds: Spread | None
    refresh_seconds: Spread | None
    decision_seconds: Spread | None
    total_seconds: Spread | None
    wall_seconds: Spread | None


@dataclass(frozen=True)
class SpeedUp:
    """Speed-up over a plain group.

    Attributes:
        baseline (str): Label of the plain group.
        factor (float): Its wall time without validations over this group's.
        limit (float, optional): Its compute over this group's, reached if
            only training took time; None if that is unknown.
    """

    baseline: str
    factor: float
    limit: float | None

    @property
    def share(self) -> float | None:
        """The factor as a share of its limit."""
        return self.factor / self.limit if self.limit else None


def figures_of(runs: Sequence[Run], metric: str | None) -> Figures:
    """Compute the figures of a group's runs."""
    records = all(run.records for run in runs)

    def over_records(key: str) -> Spread | None:
        return spread([run.total(key) for run in runs]) if records else None

    wall = spread([run.training_wall for run in runs])
    return Figures(
        best=spread([best(run, metric) for run in runs]),
        last=spread([last(run, metric) for run in runs]),
        saved=spread([run.known_saved for run in runs]),
        compute=spread([run.compute for run in runs]),
        forward_only=known_spread([run.total('forward_only') for run in runs]),
        training_seconds=over_records('train_seconds') or wall,
        refresh_seconds=over_records('refresh_seconds'),
        decision_seconds=over_records('decide_seconds'),
        total_seconds=spread([run.total_seconds for run in runs]),
        wall_seconds=wall,
    )


def speed_up(own: Figures, label: str, plain: Figures) -> SpeedUp | None:
    """Compare with a plain group; None if a time is unknown."""
    if not own.wall_seconds or not plain.wall_seconds:
        return None
    if own.wall_seconds.mean <= 0:
        return None
    limit = None
    if own.compute and plain.compute and own.compute.mean > 0:
        limit = plain.compute.mean / own.compute.mean
    factor = plain.wall_seconds.mean / own.wall_seconds.mean
    return SpeedUp(label, factor, limit)


def best(run: Run, metric: str | None) -> float | None:
    """The highest finite value; None without one."""
    values = [v for v in values_of(run, metric) if math.isfinite(v)]
    return max(values, default=None)


def last(run: Run, metric: str | None) -> float | None:
    """The last value; None if it is not finite."""
    values = values_of(run, metric)
    return values[-1] if values and math.isfinite(values[-1]) else None


def spread(values: Sequence[float | None]) -> Spread | None:
    """Mean and sample deviation; None if any value is None."""
    known = [value for value in values if value is not None]
    return known_spread(known) if len(known) == len(values) else None


def known_spread(values: Sequence[float]) -> Spread:
    """Mean and sample deviation."""
    several = len(values) > 1
    deviation = statistics.stdev(values) if several else None
    return Spread(statistics.fmean(values), deviation)


def values_of(run: Run, metric: str | None) -> list[float]:
    """The validations of a metric, in order."""
    return list(run.points.get(metric or '', {}).values())
