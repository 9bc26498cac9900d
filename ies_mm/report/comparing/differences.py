"""A group against its controls: differences of the last metric, by seed.

The controls are the plain training, a plain training that was shortened to
the compute of the method, and random removal of as many images. A method that
is not above the second should be left out for a shorter schedule, one that is
not above the third selects nothing.
"""

import math
import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from scipy import stats

from ies_mm.report.comparing.figures import last
from ies_mm.report.comparing.groups import Group, baselines_of
from ies_mm.report.reading.methods import PLAIN, RANDOM, SHORT

AS_MUCH = 0.03
"""Saved shares that are this close are the same compute."""

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Difference:
    """How far a group's last metric is above a control's.

    Attributes:
        control (str): Label of the control.
        kind (str): ``plain``, ``short plain`` or ``Random Remove``.
        by_seed (list of float): Of each seed that both have, ascending.
        decimals (int): Of the metric, when it is shown.
    """

    control: str
    kind: str
    by_seed: list[float]
    decimals: int

    @property
    def mean(self) -> float:
        """Over the seeds."""
        return statistics.fmean(self.by_seed)

    @property
    def interval(self) -> tuple[float, float] | None:
        """Of the mean, 95%, by Student's t; None with one seed."""
        seeds = len(self.by_seed)
        if seeds < 2:
            return None
        error = statistics.stdev(self.by_seed) / math.sqrt(seeds)
        width = error * float(stats.t.ppf((1 + CONFIDENCE) / 2, seeds - 1))
        return self.mean - width, self.mean + width

    def text(self, value: float) -> str:
        """A difference in the metric's own decimals, with its sign."""
        return f'{value:+.{self.decimals}f}'

    @property
    def sign(self) -> int:
        """1 above, -1 below, 0 where the interval does not say."""
        if self.interval is None:
            return 0
        low, high = self.interval
        return 1 if low > 0 else -1 if high < 0 else 0


def decimals(values: Iterable[float]) -> int:
    """Of a metric: percentages have two, fractions three."""
    return 2 if max(map(abs, values), default=0) > 1 else 3


def differences_of(
    group: Group, groups: Sequence[Group], metric: str | None
) -> list[Difference]:
    """Against each control that there is and that has a seed in common.

    Args:
        group (Group): Of a method; a plain one has none.
        groups (sequence of Group): All that are compared.
        metric (str, optional): The validation metric.
    """
    if group.method == PLAIN or not group.finished:
        return []
    found = [
        _difference(group, control, kind, metric)
        for kind, control in _controls(group, groups)
    ]
    return [difference for difference in found if difference.by_seed]


def is_short(group: Group) -> bool:
    """Whether it is a plain training that was shortened."""
    return group.method.startswith(SHORT)


def saved_share(group: Group) -> float:
    """The share of the plain training's compute that a group has saved."""
    if is_short(group):
        return 1 - float(group.settings['length'])
    return statistics.fmean(run.saved for run in group.runs)


def _controls(
    group: Group, groups: Sequence[Group]
) -> Iterator[tuple[str, Group]]:
    finished = [other for other in groups if other.finished]
    yield from ((PLAIN, plain) for plain in baselines_of(group, groups)[:1])
    if not is_short(group):
        short = _of_the_same_compute(group, filter(is_short, finished))
        yield from ((SHORT, control) for control in short[:1])
    if group.method != RANDOM:
        drawn = [other for other in finished if other.method == RANDOM]
        random = _of_the_same_compute(group, drawn)
        yield from ((RANDOM, control) for control in random[:1])


def _of_the_same_compute(group: Group, others: Iterable[Group]) -> list[Group]:
    """Those that saved as much, the nearest first."""
    saved = saved_share(group)
    apart = [(abs(saved_share(other) - saved), other) for other in others]
    apart.sort(key=lambda pair: pair[0])
    return [other for distance, other in apart if distance <= AS_MUCH]


def _difference(
    group: Group, control: Group, kind: str, metric: str | None
) -> Difference:
    own, theirs = _by_seed(group, metric), _by_seed(control, metric)
    common = sorted(own.keys() & theirs.keys())
    apart = [own[seed] - theirs[seed] for seed in common]
    return Difference(control.label, kind, apart, decimals(own.values()))


def _by_seed(group: Group, metric: str | None) -> dict[int, float]:
    """The last metric of each seed; of runs with the same seed the last."""
    found = {}
    for run in group.runs:
        value = last(run, metric)
        if run.seed is not None and value is not None:
            found[run.seed] = value
    return found
