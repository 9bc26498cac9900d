"""What an image alone is divided by: what a head can say of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ies_mm.losses.rows.row_calls import RowCalls

Own = Callable[[RowCalls], Tensor]
"""What the images alone are divided by, float32 (N,)."""


@dataclass(frozen=True)
class Term:
    """One term of a head.

    Attributes:
        module (str): The loss module that computes it.
        own (callable): What an image alone is divided by.
        name (str): The term's, where it is not the module's.
        by (float): What the sum is divided by beside it. Defaults to 1.
        unreduced (bool): The head asks the module for a loss per row and
            reduces it itself. Defaults to False.
    """

    module: str
    own: Own
    name: str = ''
    by: float = 1.0
    unreduced: bool = False


def rows(module: str, least: float = 1, more: float = 0) -> Own:
    """Rows of an image in the calls of ``module``, and ``more``."""
    return lambda calls: (calls.rows(module) + more).clamp(min=least)


def weights(module: str, least: float = 1) -> Own:
    """Weights of an image's rows in the calls of ``module``."""
    return lambda calls: calls.weights(module).clamp(min=least)


def positives(module: str, head: Any) -> Own:
    """Rows of an image with a class, at least one."""
    classes = head.num_classes
    return lambda calls: calls.positives(module, classes).clamp(min=1)


def metrics(module: str) -> Own:
    """How well an image's rows are aligned: targets (labels, metrics)."""
    return lambda calls: calls.targets(module, lambda t: t[1]).clamp(min=1)
