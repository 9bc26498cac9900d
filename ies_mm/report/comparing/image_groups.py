"""Results by the groups of a ``GroupMetric``.

Its groups are of images or of classes; a :class:`Group` is one of runs.
"""

from collections.abc import Sequence

from ies_mm.report.comparing.figures import Spread, known_spread
from ies_mm.report.comparing.groups import Group
from ies_mm.report.reading.runs import Run

PREFIX = 'group/'
"""Prefix of the metric's names."""


def group_values_of(run: Run) -> dict[str, float]:
    """Last value of each measure, by its name with the group."""
    return {
        name.removeprefix(PREFIX): points[max(points)]
        for name, points in run.points.items()
        if name.startswith(PREFIX) and points
    }


def common_measures(groups: Sequence[Group]) -> list[str]:
    """Measures that every run of every group has: overall, then by group."""
    found = [group_values_of(run) for group in groups for run in group.runs]
    common = [
        name for name in (found[0] if found else ())
        if all(name in values for values in found)
    ]  # fmt: skip
    return sorted(common, key=lambda name: ('/' in name, name))


def by_measure(group: Group, measures: Sequence[str]) -> list[Spread]:
    """The last value of each measure, over seeds."""
    found = [group_values_of(run) for run in group.runs]
    return [
        known_spread([values[name] for values in found]) for name in measures
    ]
