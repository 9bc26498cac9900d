"""What thresholds that set themselves have to know of a training."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ies_mm.core import Criterion, Progress


class TrainingProgress:
    """The first epoch's mean losses, and what a dry run would have saved.

    Args:
        criterion (Criterion): Whose threshold is served.
    """

    def __init__(self, criterion: Criterion) -> None:
        self._criterion = criterion
        self._first_loss: Tensor | None = None
        self._spared = 0

    def take_in(self, losses: Tensor) -> None:
        """Learn from an epoch's losses; only the first counts.

        Args:
            losses (Tensor): float32 (M, T).
        """
        finite = losses[torch.isfinite(losses).all(dim=1)]
        if self._first_loss is None and len(finite):
            self._first_loss = finite.double().mean(dim=0)

    def spare(self, mastered: Tensor) -> None:
        """Count what a dry run would have left out of the next epoch.

        Args:
            mastered (Tensor): bool (N,).
        """
        self._spared += int(mastered.sum())

    def of(
        self, names: Sequence[str], excluded: int, **counts: Any
    ) -> Progress:
        """Where the training stands, for its thresholds.

        Args:
            names (sequence of str): The terms.
            excluded (int): Instance-epochs left out so far; those that a dry
                run would have left out are added.
            **counts: What else :class:`Progress` has.
        """
        first = self._first_loss
        if first is None:
            first = torch.zeros(len(names), dtype=torch.double)
        judged = self._criterion.judged(first, names)
        return Progress(judged, excluded=excluded + self._spared, **counts)

    def state_dict(self) -> dict[str, Any]:
        """What was learned, None for what is not known yet."""
        return {'first_loss': self._first_loss, 'spared': self._spared}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what :meth:`state_dict` gave."""
        first = state['first_loss']
        self._first_loss = None if first is None else first.cpu()
        self._spared = state['spared']
