"""A group against its controls: differences in the last metric, by seed."""

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from scipy import stats

from ies_mm.report.comparing.controls import controls_of
from ies_mm.report.comparing.figures import last
from ies_mm.report.comparing.groups import Group
from ies_mm.report.reading.methods import PLAIN

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Difference:
    """A group's last metric minus a control's.

    Attributes:
        control (str): Label of the control.
        kind (str): ``plain``, ``short plain`` or ``Random Remove``.
        by_seed (list of float): Difference for each common seed, by
            ascending seed.
        decimals (int): Number of decimals shown.
    """

    control: str
    kind: str
    by_seed: list[float]
    decimals: int

    @property
    def mean(self) -> float:
        """Mean over the seeds."""
        return statistics.fmean(self.by_seed)

    @property
    def interval(self) -> tuple[float, float] | None:
        """95% interval of the mean, by Student's t; None with one seed."""
        return self.interval_among(1)

    def interval_among(self, methods: int) -> tuple[float, float] | None:
        """The 95% interval, widened for a method picked as the best.

        Args:
            methods (int): Number of methods it was picked from. By
                Bonferroni's correction, the intervals of all of them together
                hold with 95%.

        Returns:
            tuple, optional: Low and high; None with one seed.
        """
        seeds = len(self.by_seed)
        if seeds < 2:
            return None
        error = statistics.stdev(self.by_seed) / math.sqrt(seeds)
        outside = (1 - CONFIDENCE) / methods
        width = error * float(stats.t.isf(outside / 2, seeds - 1))
        return self.mean - width, self.mean + width

    def text(self, value: float) -> str:
        """Format a difference with its sign and the metric's decimals."""
        return f'{value:+.{self.decimals}f}'

    @property
    def sign(self) -> int:
        """The :func:`sign_of` its interval."""
        return sign_of(self.interval)


def sign_of(interval: tuple[float, float] | None) -> int:
    """1 above zero, -1 below, 0 if it includes zero or there is none."""
    low, high = interval or (0, 0)
    return 1 if low > 0 else -1 if high < 0 else 0


def decimals(values: Iterable[float]) -> int:
    """Decimals of a metric: two for percentages, three for fractions."""
    return 2 if max(map(abs, values), default=0) > 1 else 3


def differences_of(
    group: Group, groups: Sequence[Group], metric: str | None
) -> list[Difference]:
    """Compare with the best control of each kind that shares a seed.

    Args:
        group (Group): Runs of a method; a plain group has no differences.
        groups (sequence of Group): All groups of the comparison.
        metric (str, optional): The validation metric.
    """
    if group.method == PLAIN or not group.finished:
        return []
    return [
        Difference(
            control.label,
            kind,
            apart,
            decimals(_by_seed(group, metric).values()),
        )
        for kind, controls in controls_of(group, groups)
        for control, apart in _best_paired(group, controls, metric)
    ]


def _best_paired(
    group: Group, controls: Sequence[Group], metric: str | None
) -> list[tuple[Group, list[float]]]:
    """The control with the most common seeds, and the differences."""
    own = _by_seed(group, metric)
    found = []
    for control in controls:
        theirs = _by_seed(control, metric)
        common = sorted(own.keys() & theirs.keys())
        if common:
            apart = [own[seed] - theirs[seed] for seed in common]
            found.append((control, apart))
    # In a tie the first one, which is the best match.
    return sorted(found, key=lambda pair: -len(pair[1]))[:1]


def _by_seed(group: Group, metric: str | None) -> dict[int, float]:
    """The last metric by seed; for a repeated seed, that of the last run."""
    found = {}
    for run in group.runs:
        value = last(run, metric)
        if run.seed is not None and value is not None:
            found[run.seed] = value
    return found
