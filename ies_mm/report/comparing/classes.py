"""Metrics of each group by class."""

from collections.abc import Sequence

from ies_mm.report.comparing.figures import Spread, known_spread
from ies_mm.report.comparing.groups import Group


def common_classes(groups: Sequence[Group]) -> list[str]:
    """The classes for which every run of every group has a value, in order."""
    runs = [run for group in groups for run in group.runs]
    if not runs:
        return []
    return [
        name
        for name in runs[0].classes
        if all(name in run.classes for run in runs)
    ]


def by_class(group: Group, classes: Sequence[str]) -> list[Spread]:
    """The last value of each class, over seeds."""
    return [
        known_spread([run.classes[name] for run in group.runs])
        for name in classes
    ]


def worst_class(group: Group) -> tuple[str, Spread] | None:
    """The class with the lowest mean over seeds; None if none is known."""
    classes = common_classes([group])
    if not classes:
        return None
    found = zip(classes, by_class(group, classes), strict=True)
    return min(found, key=lambda pair: pair[1].mean)
