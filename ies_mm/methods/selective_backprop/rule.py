"""Selective-Backprop: train on the images of a batch with high losses.

Jiang et al., *Accelerating Deep Learning by Focusing on the Biggest Losers*,
2019 (section 3).
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ies_mm.core import LossHistory, Standing
from ies_mm.core.arguments import check_integer, check_number
from ies_mm.methods.method import Decision, Method


class SelectiveBackprop(Method):
    """Chooses images batch by batch; the higher the loss, the likelier.

    For the arguments see :class:`ies_mm.engine.SelectiveBackpropHook`.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: An argument is out of range.
    """

    name = 'Selective-Backprop'
    needs_steps = 'chooses the images of each step by their own losses'
    refreshes = False

    def __init__(self, beta: float = 1.0, recent: int = 1024) -> None:
        check_number('beta', beta, 0)
        check_integer('recent', recent, 1)
        self.beta = beta
        self.recent = recent

    def reset(self) -> None:
        """Clear the recent losses."""
        self._recent = RecentLosses(self.recent)

    def forget_level(self) -> None:
        """Clear the losses; all images are chosen until new ones are known."""
        self.reset()

    def choose(self, losses: Tensor, iteration: int) -> Tensor:
        """Add a batch's losses, and draw which of its images are trained.

        Args:
            losses (Tensor): float32 (B,).
            iteration (int): Iteration of the training, from 0.

        Returns:
            Tensor: bool (B,).
        """
        # First, so that a loss is compared with itself, too, and its CDF is
        # not 0.
        self._recent.add(losses)
        chances = self._recent.probabilities(losses, self.beta)
        generator = self.generator(iteration)
        return torch.rand(len(losses), generator=generator) < chances

    def decide(
        self, history: LossHistory, names: Sequence[str], standing: Standing
    ) -> Decision:
        """Select everything; images are chosen in each step."""
        return self.none_mastered()

    def state_dict(self) -> dict[str, Any]:
        """The recent losses."""
        return {'recent': self._recent.values}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned."""
        self._recent.values = state['recent']


class RecentLosses:
    """The last R losses, a reference distribution for new ones.

    Args:
        size (int): R.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.values = torch.zeros(0)

    def add(self, losses: Tensor) -> None:
        """Add losses; NaN and infinite ones are ignored.

        Args:
            losses (Tensor): float (B,).
        """
        losses = losses[torch.isfinite(losses)].float()
        self.values = torch.cat([self.values, losses])[-self.size :]

    def probabilities(self, losses: Tensor, beta: float) -> Tensor:
        r"""Probability that each image is chosen, :math:`CDF(L)^\beta`.

        Args:
            losses (Tensor): float (B,).
            beta (float): The higher, the fewer are chosen; for a stationary
                distribution, a fraction ``1 / (beta + 1)``.

        Returns:
            Tensor: float (B,). 1 for a loss above all others and for one
            that is NaN or infinite; 1 for all while no loss is known.
        """
        if not len(self.values):
            return torch.ones(len(losses))
        ranked = self.values.sort().values
        below = torch.searchsorted(ranked, losses.float(), right=True)
        share = (below.float() / len(ranked)) ** beta
        return share.masked_fill(~torch.isfinite(losses), 1.0)
