"""DIHCL: train on instances that have been hard so far.

Zhou, Wang and Bilmes, *Curriculum Learning by Dynamic Instance Hardness*,
NeurIPS 2020; the variant DIHCL-Rand with the loss as hardness.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ies_mm.core import LossHistory, Selection, Standing
from ies_mm.core.arguments import check_integer, check_number
from ies_mm.core.running import update_running
from ies_mm.methods.method import Decision, Method


class DIHCL(Method):
    """Draws a budget of instances by their running hardness.

    For the arguments see :class:`ies_mm.engine.DIHCLHook`.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: An argument is out of range, or ``factor`` leads away
            from ``end``.
    """

    name = 'DIHCL'
    refreshes = False

    def __init__(
        self,
        warmup: int = 5,
        discount: float = 0.9,
        start: float = 1.0,
        factor: float = 0.9,
        end: float = 0.5,
    ) -> None:
        check_integer('warmup', warmup, 1)
        check_number('discount', discount, 0, 1)
        check_number('start', start, 0, 1)
        check_number('end', end, 0, 1)
        check_number('factor', factor, 0)
        grows = factor > 1 and start > 0
        if (end < start and factor >= 1) or (end > start and not grows):
            raise ValueError(
                f'factor={factor} does not lead from start={start} to '
                f'end={end}: give a factor below 1 for a budget that shrinks, '
                'above 1 (and a start above 0) for one that grows'
            )
        self.warmup = warmup
        self.discount = discount
        self.start = start
        self.factor = factor
        self.end = end

    def reset(self) -> None:
        """Clear the running hardness: float64 (N,) of NaN."""
        self.running = torch.full((self.instances,), torch.nan).double()

    def update(self, ids: Tensor, losses: Tensor, standing: Standing) -> None:
        """Update the running hardness of the observed instances."""
        # A learning rate of zero says nothing about hardness.
        rate = standing.learning_rate or 1.0
        hardness = losses.double().sum(dim=1) / rate
        update_running(self.running, ids, hardness, self.discount)

    def forget_level(self) -> None:
        """Clear the hardness; unobserved instances rank as the hardest."""
        self.reset()

    def shortfall(self, standing: Standing) -> str:
        """Whether it ends before the budget leaves out anything."""
        parts = [
            budget(epoch - self.warmup, self.start, self.factor, self.end)
            for epoch in range(self.warmup, standing.epochs)
        ]
        if min(self.start, self.end) == 1 or min(parts, default=1) < 1:
            return ''
        return (
            f'{self.name} cannot prune anything in {standing.epochs} epochs '
            f'with warmup={self.warmup} and start={self.start}; train longer '
            'or give less'
        )

    def decide(
        self, history: LossHistory, names: Sequence[str], standing: Standing
    ) -> Decision:
        """Draw the next epoch's budget of instances by hardness."""
        epoch = standing.epoch
        if epoch < self.warmup:
            return self.none_mastered()
        part = budget(epoch - self.warmup, self.start, self.factor, self.end)
        drawn = hardest(self.running, part, self.generator(epoch))
        return self.none_mastered(drawn)

    def state_dict(self) -> dict[str, Tensor]:
        """The running hardness."""
        return {'running': self.running}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Restore the running hardness from a checkpoint."""
        self.running = state['running']


def budget(epoch: int, start: float, factor: float, end: float) -> float:
    """The fraction of the instances that an epoch trains on.

    It changes from ``start`` to ``end`` by ``factor`` per epoch: it shrinks
    with a factor below 1 and grows with a factor above 1.

    Args:
        epoch (int): Epochs since the end of the warm-up, from 0.
        start (float): Budget of the first epoch after the warm-up.
        factor (float): Ratio of consecutive budgets.
        end (float): Final budget.
    """
    try:
        reached = start * float(factor) ** epoch
    except OverflowError:
        # A power of floats raises where a product becomes infinite.
        reached = math.inf
    return max(reached, end) if end <= start else min(reached, end)


def hardest(
    running: Tensor, part: float, generator: torch.Generator
) -> Selection:
    """Draw instances with probabilities proportional to their hardness.

    Args:
        running (Tensor): float (N,), the running hardness. NaN, not known
            yet, counts as the highest.
        part (float): Fraction of the instances to draw, 0 to 1; at least one
            is drawn.
        generator (torch.Generator): Generator for drawing, without
            replacement.
    """
    known = running[torch.isfinite(running)]
    most = float(known.max()) if len(known) else 1.0
    weights = torch.nan_to_num(running.double(), nan=most)
    # Give all a nonzero weight, or few hard ones could not fill the budget.
    weights = weights.clamp(min=max(most * 1e-6, 1e-12))
    # An empty selection would end the training.
    count = max(1, round(part * len(running)))
    # As torch.multinomial does, which refuses more than 2 ** 24 instances.
    chance = torch.empty_like(weights).exponential_(generator=generator)
    drawn = (weights / chance).topk(count).indices
    active = torch.zeros(len(running), dtype=torch.bool)
    active[drawn] = True
    return Selection(active)
