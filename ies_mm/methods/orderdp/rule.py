"""OrderDP's rule (Jin et al., ICLR 2026)."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ies_mm.core import LossHistory, Selection, Standing
from ies_mm.core.arguments import check_number
from ies_mm.core.random_subset import all_but, random_part
from ies_mm.methods.method import Decision
from ies_mm.methods.random_removal.rule import RandomRemoval


class OrderDP(RandomRemoval):
    """Draws a random subset and trains the largest losses in it.

    For the arguments see :class:`ies_mm.engine.OrderDPHook`.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: An argument is out of range.
    """

    name = 'OrderDP'
    reads_losses = True

    def __init__(
        self,
        random_ratio: float = 0.8,
        top_ratio: float = 0.375,
        begin: int = 0,
        saved: float | None = None,
    ) -> None:
        _check_kept('random_ratio', random_ratio)
        _check_kept('top_ratio', top_ratio)
        pruned = 1 - random_ratio * top_ratio
        ratio = pruned if saved is None else None
        super().__init__(ratio, begin, saved=saved)
        self.random_ratio = random_ratio
        self.top_ratio = top_ratio
        self._by_chance = (1 - random_ratio) / pruned if pruned else 0.0

    def decide(
        self, history: LossHistory, names: Sequence[str], standing: Standing
    ) -> Decision:
        """Draw the subset and rank it; no instance is mastered."""
        if standing.epoch < self.begin:
            return self.none_mastered()
        return self.none_mastered(self._ordered(history.last_sums(), standing))

    def _ordered(self, losses: Tensor, standing: Standing) -> Selection:
        generator = self.generator(standing.epoch)
        everyone, share = torch.arange(self.instances), self.share(standing)
        pruned = len(random_part(everyone, share, generator))
        pruned = min(pruned, self.instances - 1)
        return order_dp(losses, pruned, self._by_chance, generator)


def _check_kept(name: str, value: float) -> None:
    """Check that a value is a number above 0 and at most 1."""
    check_number(name, value, 0, 1)
    if value == 0:
        raise ValueError(f'{name}=0 keeps nothing: give a number above 0')


def order_dp(
    losses: Tensor, pruned: int, chance: float, generator: torch.Generator
) -> Selection:
    """Prune some instances at random, and of the rest the smallest losses.

    Args:
        losses (Tensor): float (N,), the last loss of every instance. NaN and
            infinite ones count as the largest.
        pruned (int): How many to prune, below N.
        chance (float): Fraction of them to draw at random.
        generator (torch.Generator): Draws them, and breaks ties.
    """
    order = torch.randperm(len(losses), generator=generator)
    drawn = round(pruned * chance)
    subset = order[drawn:]
    ranked = losses[subset].nan_to_num(torch.inf, torch.inf, torch.inf)
    smallest = subset[ranked.argsort(stable=True)[: pruned - drawn]]
    return Selection(
        all_but(torch.cat([order[:drawn], smallest]), len(losses))
    )
