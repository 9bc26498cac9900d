"""A group against its controls: differences in the last metric, by seed."""

import math
import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from scipy import stats

from ies_mm.report.comparing.controls import controls_of
from ies_mm.report.comparing.figures import last, spread
from ies_mm.report.comparing.groups import Group
from ies_mm.report.reading.methods import PLAIN

CONFIDENCE = 0.95
LEAST_SEEDS = 3
"""With fewer seeds, an interval is shown, but nothing is concluded."""


@dataclass(frozen=True)
class Difference:
    """A group's last metric minus a control's.

    Attributes:
        control (str): Label of the control.
        kind (str): ``plain``, ``short plain`` or ``random pruning``.
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
    def seeds(self) -> str:
        """The number of seeds in words."""
        count = len(self.by_seed)
        return 'one seed' if count == 1 else f'{count} seeds'

    @property
    def interval(self) -> tuple[float, float] | None:
        """95% interval of the mean, by Student's t.

        None with one seed, or if every seed has the same difference.
        """
        return self.interval_among(1)

    def interval_among(self, methods: int) -> tuple[float, float] | None:
        """The 95% interval, widened for a method picked as the best.

        Args:
            methods (int): Number of methods it was picked from. By
                Bonferroni's correction, the intervals of all of them together
                hold with 95%.

        Returns:
            tuple, optional: Low and high; None if ``interval`` is.
        """
        seeds = len(self.by_seed)
        # Equal differences say nothing on how much others would vary.
        if seeds < 2 or _are_equal(self.by_seed):
            return None
        error = statistics.stdev(self.by_seed) / math.sqrt(seeds)
        outside = (1 - CONFIDENCE) / methods
        width = error * float(stats.t.isf(outside / 2, seeds - 1))
        return self.mean - width, self.mean + width

    def text(self, value: float) -> str:
        """Format a difference with its sign and the metric's decimals."""
        # Adding 0 turns a rounded -0.0 into 0.0.
        return f'{round(value, self.decimals) + 0.0:+.{self.decimals}f}'

    def sign_among(self, methods: int) -> int | None:
        """1 above zero, -1 below, 0 if the interval includes zero.

        Args:
            methods (int): See :meth:`interval_among`.

        Returns:
            int, optional: None if there is no interval, or fewer than
            :data:`LEAST_SEEDS` seeds.
        """
        interval = self.interval_among(methods)
        if interval is None or len(self.by_seed) < LEAST_SEEDS:
            return None
        low, high = interval
        return 1 if low > 0 else -1 if high < 0 else 0


def _are_equal(values: Sequence[float]) -> bool:
    """Whether they differ by rounding errors at most."""
    low, high = min(values), max(values)
    return math.isclose(low, high, rel_tol=1e-9, abs_tol=1e-9)


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
    own = _by_seed(group, metric)
    # The order of groups breaks ties between equally good matches.
    ordered = sorted(groups, key=lambda g: -len(_paired(own, g, metric)))
    found = []
    for kind, controls in controls_of(group, ordered):
        best = _best_paired(own, controls, metric)
        if best is not None:
            control, apart = best
            places = decimals(own.values())
            found.append(Difference(control.label, kind, apart, places))
    return found


def _best_paired(
    own: dict[int, float], controls: Sequence[Group], metric: str | None
) -> tuple[Group, list[float]] | None:
    """The best match that shares a seed, and the differences."""
    for control in controls:
        if apart := _paired(own, control, metric):
            return control, apart
    return None


def _paired(
    own: dict[int, float], control: Group, metric: str | None
) -> list[float]:
    """The differences from a control, one for each common seed."""
    theirs = _by_seed(control, metric)
    common = sorted(own.keys() & theirs.keys())
    return [own[seed] - theirs[seed] for seed in common]


def _by_seed(group: Group, metric: str | None) -> dict[int, float]:
    """The last metric by seed; for a repeated seed, the mean of its runs."""
    values = defaultdict(list)
    for run in group.runs:
        if run.seed is not None:
            values[run.seed].append(last(run, metric))
    means = {seed: spread(of_seed) for seed, of_seed in values.items()}
    return {seed: mean.mean for seed, mean in means.items() if mean}
