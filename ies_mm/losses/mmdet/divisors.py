"""Normalisers of an image alone, from which heads declare their terms."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ies_mm.losses.rows.row_calls import RowCalls

Own = Callable[[RowCalls], Tensor]
"""Computes the normaliser of each image alone, float32 (N,)."""


@dataclass(frozen=True)
class Term:
    """One term of a head.

    Attributes:
        module (str): Name of the loss module that computes it.
        own (callable): The normaliser of an image alone.
        name (str): The term's name, if not the module's.
        by (float): A further divisor of the sum. Defaults to 1.
        unreduced (bool): The head calls the module without reduction and
            reduces the rows itself. Defaults to False.
    """

    module: str
    own: Own
    name: str = ''
    by: float = 1.0
    unreduced: bool = False


def rows(module: str, least: float = 1, more: float = 0) -> Own:
    """Number of an image's rows in the calls of ``module``, plus ``more``."""
    return lambda calls: (calls.rows(module) + more).clamp(min=least)


def weights(module: str, least: float = 1) -> Own:
    """Sum of the weights of an image's rows in the calls of ``module``."""
    return lambda calls: calls.weights(module).clamp(min=least)


def positives(module: str, head: Any) -> Own:
    """Number of an image's foreground rows, at least 1."""
    classes = head.num_classes
    return lambda calls: calls.positives(module, classes).clamp(min=1)


def metrics(module: str) -> Own:
    """Sum of an image's alignment metrics; targets are (labels, metrics)."""
    return lambda calls: calls.targets(module, lambda t: t[1]).clamp(min=1)
