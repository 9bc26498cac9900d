"""The mean loss of the first epoch, the unit of relative thresholds."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ies_mm.core.criteria import Criterion


class FirstLoss:
    """Mean of the first epoch's finite losses, per term.

    A term that joins later, or is 0 at first, counts from the first epoch in
    which it is not 0.
    """

    def __init__(self) -> None:
        self._mean = torch.zeros(0, dtype=torch.double)

    def update(self, losses: Tensor) -> None:
        """Take an epoch's losses; only each term's first count.

        Args:
            losses (Tensor): float32 (M, T).
        """
        finite = losses[torch.isfinite(losses).all(dim=1)]
        # If no loss of an epoch is finite, the next one counts as the first.
        if len(finite):
            known = _padded(self._mean, losses.shape[1])
            mean = finite.double().mean(dim=0)
            self._mean = torch.where(known == 0, mean, known)

    def judged(self, criterion: Criterion, names: Sequence[str]) -> Tensor:
        """The mean of each column that a criterion judges, float64 (C,)."""
        return criterion.judged(_padded(self._mean, len(names)), names)

    def state_dict(self) -> dict[str, Any]:
        """The mean; of no term if none is known yet."""
        return {'first_loss': self._mean}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned."""
        # Version 0.2.0 wrote None if none was known.
        if state['first_loss'] is not None:
            self._mean = state['first_loss']


def _padded(mean: Tensor, terms: int) -> Tensor:
    """With 0 for terms that have not been seen."""
    return torch.nn.functional.pad(mean, (0, terms - len(mean)))
