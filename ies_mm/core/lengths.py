"""How many epochs a training run needs, and what to say of a shorter one."""

from ies_mm.core.budget import MOST_LEFT_OUT, Course
from ies_mm.core.criteria import Criterion

WIDTH = 3
"""Epochs averaged for one level of an image's loss."""

ORDERS = (0, 1, 2, 3)
"""Of the criteria that stand beside the one looked at."""

SMOOTH = 5
"""Losses averaged by another of them."""


def shortest(criterion: Criterion) -> int:
    """Epochs of a run in which the criterion could leave something out.

    Args:
        criterion (Criterion): The one looked at.
    """
    return criterion.needed + 1


def with_foresight(criterion: Criterion) -> int:
    """Epochs of a run in which it can be compared with what comes after.

    Args:
        criterion (Criterion): The one looked at.
    """
    slowest = max(ORDERS) + criterion.window
    return max(slowest, SMOOTH) + 1 + 4 * WIDTH


def too_short(name: str, course: Course, criterion: Criterion) -> str:
    """What to say of a training that cannot leave anything out; else ''.

    Args:
        name (str): Of the method.
        course (Course): Which epochs may leave something out.
        criterion (Criterion): Its own.
    """
    if course.epochs >= course.shortest:
        return ''
    return (
        f'{name} cannot exclude anything in {course.epochs} epochs: with '
        f'order={criterion.order}, window={criterion.window}, '
        f'begin={course.begin} and anneal={course.anneal} it needs '
        f'{course.shortest} or more. If the data set is repeated, count the '
        'repeats as epochs instead (RepeatDataset: times=1, max_epochs '
        'multiplied).'
    )


def too_much(saved: float, course: Course) -> str:
    """What to say where a training cannot save so much; else ''.

    Args:
        saved (float): What is to be saved, a part of all instance-epochs.
        course (Course): Which epochs may leave something out.
    """
    most = MOST_LEFT_OUT * course.able / course.epochs
    if saved <= most:
        return ''
    return (
        f'saved={saved}: these {course.epochs} epochs can save {most:.0%} at '
        'most; train longer, or ask for less'
    )
