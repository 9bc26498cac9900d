"""Loss terms, as MMEngine's ``parse_losses`` interprets them."""

from typing import Any, cast

from torch import Tensor

Terms = dict[str, Tensor]
"""Name -> scalar."""


def terms_of(losses: dict[str, Any]) -> Terms:
    """The terms that enter the objective, each reduced to a scalar."""
    return {
        name: scalar(value) for name, value in losses.items() if 'loss' in name
    }


def scalar(value: Tensor | list[Tensor]) -> Tensor:
    """A term as ``parse_losses`` adds it, bit for bit; may have levels."""
    levels = [value] if isinstance(value, Tensor) else value
    # One by one, as MMEngine does: a stacked sum may round differently.
    return cast(Tensor, sum(level.mean() for level in levels))
