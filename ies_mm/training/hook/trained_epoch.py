"""An epoch between its last step and its record."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ies_mm.training.state.observations import Observations

Merged = tuple[Tensor, Tensor, Tensor]
"""As :meth:`Observations.merge` returns: ids, losses, instances seen."""


@dataclass
class TrainedEpoch:
    """An epoch that was trained.

    Attributes:
        noted (Observations): Observations of its steps.
        known (list of str): The terms that were known before it.
        seen (Tensor): int64, instances that its steps showed.
        trained (Tensor): bool (N,).
        left_out (Tensor): bool (N,).
        ids (Tensor): int64 (M,), the instances observed, each once.
        losses (Tensor): float32 (M, T), their losses.
        scored (int): Number of instances that forward passes showed.
    """

    noted: Observations
    known: list[str]
    seen: Tensor
    trained: Tensor
    left_out: Tensor
    ids: Tensor
    losses: Tensor
    scored: int = 0

    def join(self, scored: Merged) -> None:
        """Add the observations of later forward passes."""
        more, more_losses, seen = scored
        self.scored = len(seen)
        # Scoring may be the first to see a term.
        joined = more_losses.shape[1] - self.losses.shape[1]
        losses = torch.nn.functional.pad(self.losses, (0, joined))
        # A dataset that fetches another image may show a trained one.
        new = ~torch.isin(more, self.ids)
        self.ids = torch.cat([self.ids, more[new]])
        self.losses = torch.cat([losses, more_losses[new]])
