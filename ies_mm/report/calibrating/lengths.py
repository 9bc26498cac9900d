"""How many epochs a run must have for a figure to be given."""

from ies_mm.core import Criterion

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
