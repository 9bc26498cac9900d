"""Selective-Backprop: which losses of a batch are high enough to train on.

Jiang et al., *Accelerating Deep Learning by Focusing on the Biggest Losers*,
2019 (section 3).
"""

import torch
from torch import Tensor


class RecentLosses:
    """The last R losses, whose distribution a new loss is compared with.

    Args:
        size (int): R.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.values = torch.zeros(0)

    def add(self, losses: Tensor) -> None:
        """Take losses in; those that are NaN or infinite are forgotten.

        Args:
            losses (Tensor): float (B,).
        """
        losses = losses[torch.isfinite(losses)].float()
        self.values = torch.cat([self.values, losses])[-self.size :]

    def probabilities(self, losses: Tensor, beta: float) -> Tensor:
        r"""How likely each loss is trained on, :math:`CDF(L)^\beta`.

        Args:
            losses (Tensor): float (B,).
            beta (float): The higher, the fewer: of a steady distribution
                ``1 / (beta + 1)`` are chosen.

        Returns:
            Tensor: float (B,). 1 for a loss above all others and for one
            that is NaN or infinite; 1 for all while nothing is known.
        """
        if not len(self.values):
            return torch.ones(len(losses))
        ranked = self.values.sort().values
        below = torch.searchsorted(ranked, losses.float(), right=True)
        share = (below.float() / len(ranked)) ** beta
        return share.masked_fill(~torch.isfinite(losses), 1.0)
