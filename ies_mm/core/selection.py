"""Which instances the next epoch trains, and with which weight."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Selection:
    """The instances of one epoch.

    Args:
        active (Tensor): bool (N,), True where the instance is trained.
        weight (Tensor, optional): float32 (N,), what an instance's share of
            the loss is multiplied by. Defaults to None, 1 for all.
    """

    active: Tensor
    weight: Tensor | None = None

    @classmethod
    def everything(cls, instances: int) -> 'Selection':
        """All instances."""
        return cls(torch.ones(instances, dtype=torch.bool))

    @property
    def excluded(self) -> Tensor:
        """int64 (E,), the instances left out."""
        return torch.nonzero(~self.active).flatten()

    def weights_of(self, ids: Tensor) -> Tensor | None:
        """Weights of a batch.

        Args:
            ids (Tensor): int64 (B,), instances.

        Returns:
            Tensor: float32 (B,), or None where all are 1.
        """
        if self.weight is None:
            return None
        weights = self.weight[ids]
        return None if (weights == 1).all() else weights
