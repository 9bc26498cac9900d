"""Selective-Backprop: which losses of a batch are high enough to train on.

Jiang et al., *Accelerating Deep Learning by Focusing on the Biggest Losers*,
2019 (section 3).
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ies_mm.core import LossHistory, Selection, Standing
from ies_mm.core.arguments import check_integer, check_number
from ies_mm.methods.method import Decision, Method


class SelectiveBackprop(Method):
    """Chooses, batch by batch, the images with the highest losses.

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
        """Nothing is known."""
        self._recent = RecentLosses(self.recent)

    def forget_level(self) -> None:
        """The next batch is trained whole, as the first one is."""
        self.reset()

    def choose(self, losses: Tensor, iteration: int) -> Tensor:
        """Draw which images of a batch are trained, and take its losses in.

        Args:
            losses (Tensor): float32 (B,).
            iteration (int): Of the training, from 0.

        Returns:
            Tensor: bool (B,).
        """
        self._recent.add(losses)
        chances = self._recent.probabilities(losses, self.beta)
        generator = self.generator(iteration)
        return torch.rand(len(losses), generator=generator) < chances

    def decide(
        self, history: LossHistory, names: Sequence[str], standing: Standing
    ) -> Decision:
        """Between epochs nothing is decided."""
        nothing = torch.zeros(self.instances, dtype=torch.bool)
        return Decision(nothing, Selection.everything(self.instances))

    def state_dict(self) -> dict[str, Any]:
        """The recent losses."""
        return {'recent': self._recent.values}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what :meth:`state_dict` gave."""
        self._recent.values = state['recent'].cpu()


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
