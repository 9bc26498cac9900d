"""The mean loss of the first epoch, the unit of relative thresholds."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ies_mm.core.criteria import Criterion


class FirstLoss:
    """Mean of the first epoch's finite losses, per term."""

    def __init__(self) -> None:
        self._mean: Tensor | None = None

    def update(self, losses: Tensor) -> None:
        """Take an epoch's losses; only the first epoch's count.

        Args:
            losses (Tensor): float32 (M, T).
        """
        finite = losses[torch.isfinite(losses).all(dim=1)]
        # If no loss of an epoch is finite, the next one counts as the first.
        if self._mean is None and len(finite):
            self._mean = finite.double().mean(dim=0)

    def judged(self, criterion: Criterion, names: Sequence[str]) -> Tensor:
        """The mean of each column that a criterion judges, float64 (C,)."""
        mean = self._mean
        if mean is None:
            mean = torch.zeros(0, dtype=torch.double)
        # Terms that joined later had no loss in the first epoch.
        joined = len(names) - len(mean)
        mean = torch.nn.functional.pad(mean, (0, joined))
        return criterion.judged(mean, names)

    def state_dict(self) -> dict[str, Any]:
        """The mean; None if it is not known yet."""
        return {'first_loss': self._mean}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned."""
        self._mean = state['first_loss']
