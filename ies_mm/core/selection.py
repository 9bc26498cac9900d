"""Which instances the next epoch trains, and with what weight."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Selection:
    """The instances of one epoch.

    Args:
        active (Tensor): bool (N,), True for trained instances.
        weight (Tensor, optional): float32 (N,), factors on the instances'
            shares of the loss. Defaults to None, 1 for all.
    """

    active: Tensor
    weight: Tensor | None = None

    @classmethod
    def everything(cls, instances: int) -> 'Selection':
        """Select all instances."""
        return cls(torch.ones(instances, dtype=torch.bool))

    @property
    def excluded(self) -> Tensor:
        """int64 (E,), the pruned instances."""
        return torch.nonzero(~self.active).flatten()

    def weights_of(self, ids: Tensor) -> Tensor | None:
        """Weights of a batch's instances.

        Args:
            ids (Tensor): int64 (B,), instances.

        Returns:
            Tensor: float32 (B,), or None if all are 1.
        """
        if self.weight is None:
            return None
        # Kept on the CPU, so that looking at the values waits for no device.
        return none_if_all_are_one(self.weight[ids])


def none_if_all_are_one(weights: Tensor) -> Tensor | None:
    """Without weights a step stays bit-identical to the plain one."""
    return None if (weights == 1).all() else weights
