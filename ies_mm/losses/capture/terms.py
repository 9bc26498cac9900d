"""Terms of a loss, as MMEngine's ``parse_losses`` understands them."""

from typing import Any, cast

from torch import Tensor

Terms = dict[str, Tensor]
"""Name -> scalar."""


def terms_of(losses: dict[str, Any]) -> Terms:
    """The terms that are added to the objective, each one number."""
    return {
        name: scalar(value) for name, value in losses.items() if 'loss' in name
    }


def scalar(value: Tensor | list[Tensor]) -> Tensor:
    """A term as it is added up, to the bit; some have a value per level."""
    levels = [value] if isinstance(value, Tensor) else value
    return cast(Tensor, sum(level.mean() for level in levels))
