"""Soft IES: prune at random, flatter images more often; weight the others.

Importance sampling with weights that preserve the expected gradient of an
epoch: Katharopoulos and Fleuret, *Not All Samples Are Created Equal*, ICML
2018. Systematic sampling: Madow, *Annals of Mathematical Statistics*, 1949.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ies_mm.core import (
    Criterion,
    LossHistory,
    PruningSchedule,
    Selection,
    Standing,
)
from ies_mm.core.arguments import check_flag, check_number
from ies_mm.core.threads import one_thread
from ies_mm.core.thresholds import SMALLEST_SCALE
from ies_mm.core.turns import Turns
from ies_mm.methods.flatness import FlatnessMethod
from ies_mm.methods.method import WEIGHTS, Decision

Draw = Callable[[Tensor, torch.Generator], Tensor]

LEAST_FLOOR = 0.01
"""The smallest ``floor``; the weight of an image is at most 1 / floor."""


class SoftIES(FlatnessMethod):
    """Draws the images to prune; the flatter the loss, the likelier.

    For the arguments see :class:`ies_mm.engine.SoftIESHook`.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: An argument is out of range.
    """

    name = 'Soft IES'
    refreshes = False
    schedule: PruningSchedule

    def __init__(
        self,
        saved: float,
        floor: float = 0.5,
        weighted: bool = True,
        order: int = 0,
        window: int = 5,
        terms: str | Sequence[str] | Mapping[str, float] = 'sum',
        begin: int = 1,
        anneal: float = 0.0,
        replacement: bool = True,
    ) -> None:
        # Images are drawn by rank, so the threshold is never read.
        criterion = Criterion(0, order, window, terms)
        super().__init__(criterion, PruningSchedule(saved), begin, anneal)
        check_number('floor', floor, LEAST_FLOOR, 1)
        check_flag('weighted', weighted)
        check_flag('replacement', replacement)
        self.saved = saved
        self.floor = floor
        self.weighted = weighted
        self.replacement = replacement
        self.needs_steps = WEIGHTS if weighted else ''
        self.order = order
        self.window = window
        self.terms = terms

    def reset(self) -> None:
        """Clear the first loss and the turns."""
        super().reset()
        self._turns = Turns()

    def decide(
        self, history: LossHistory, names: Sequence[str], standing: Standing
    ) -> Decision:
        """Draw the pruned instances; none while no score is known."""
        selection = Selection.everything(history.instances)
        period = self.period(standing)
        if period.may_prune(standing.epoch):
            scale = self.first_loss.judged(self.criterion, names)
            scale = scale.clamp(min=SMALLEST_SCALE)
            scores = self.criterion.scores(history, names, scale)
            if not scores.isnan().all():
                share = self.schedule.share(period.quota(standing))
                draw = systematic_sample
                if not self.replacement:
                    draw = self._turns.draw
                selection = soft_removal(
                    scores, share, self.floor,
                    self.generator(standing.epoch), self.weighted, draw,
                )  # fmt: skip
        return Decision(~selection.active, selection)

    def state_dict(self) -> dict[str, Any]:
        """The first loss and whose turn it is."""
        return {**super().state_dict(), **self._turns.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned."""
        super().load_state_dict(state)
        self._turns.load_state_dict(state)


def systematic_sample(chance: Tensor, generator: torch.Generator) -> Tensor:
    """Draw without replacement, each instance with its own probability.

    Lays the probabilities end to end in random order, drops a comb with teeth
    1 apart on them at a random offset, and draws the instances that are hit.

    Args:
        chance (Tensor): float64 (N,), 0 to 1, with an integer sum.
        generator (torch.Generator): Draws the order and the comb's offset.

    Returns:
        Tensor: bool (N,), with as many True entries as the sum.
    """
    # In the dataset's order, neighbours, often of one class, would hardly ever
    # be drawn together.
    order = torch.randperm(len(chance), generator=generator)
    place = torch.rand((), generator=generator, dtype=torch.double)
    teeth = torch.floor(chance[order].cumsum(0) + place)
    # The last end is an integer, despite rounding in the sum.
    teeth[-1] = torch.round(chance.sum())
    drawn = torch.zeros(len(chance), dtype=torch.bool)
    drawn[order] = torch.diff(teeth, prepend=torch.zeros(1)) > 0
    return drawn


@one_thread()
def soft_removal(
    scores: Tensor,
    ratio: float,
    floor: float,
    generator: torch.Generator,
    weighted: bool = True,
    draw: Draw = systematic_sample,
) -> Selection:
    r"""Train less flat instances with a higher probability.

    If weighted, a trained instance has the weight :math:`\bar\pi / \pi_i`,
    at most ``1 / floor``, where :math:`\pi_i` is the probability given to
    ``draw`` and :math:`\bar\pi` the fraction trained.

    Args:
        scores (Tensor): float64 (N,), flatness; NaN, not known yet, counts as
            the least flat.
        ratio (float): Fraction to prune, 0 <= ratio < 1. At least one
            instance is kept.
        floor (float): See :func:`chances`.
        generator (torch.Generator): Draws the trained instances.
        weighted (bool): Whether to weight them. Defaults to True.
        draw (callable): Draws the trained instances, from their probabilities
            and ``generator``. Defaults to :func:`systematic_sample`.
    """
    instances = len(scores)
    keep = max(instances - round(ratio * instances), 1)
    if keep == instances:
        return Selection.everything(instances)
    chance = chances(scores, keep, floor)
    active = draw(chance, generator)
    if not weighted:
        return Selection(active)
    # A pruned instance that is re-included to fill a batch counts once.
    weight = torch.where(active, keep / instances / chance, 1.0)
    return Selection(active, weight.float())


def chances(scores: Tensor, keep: int, floor: float) -> Tensor:
    r"""The probability of each instance to be trained.

    .. math:: \pi_i = \min(1, c \, (f + 2 (1 - f) \, r_i))

    where :math:`r_i`, from 0 to 1, is the rank of its score, and :math:`c`
    makes the probabilities add up to ``keep``. Equal scores get the mean over
    their ranks.

    Args:
        scores (Tensor): float64 (N,); NaN counts as the least flat.
        keep (int): Number of instances to train, 1 to N.
        floor (float): f, above 0 and up to 1: probability of the flattest
            instance relative to the mean; higher if others are certain to be
            trained. With 1, all are equal.

    Returns:
        Tensor: float64 (N,).
    """
    instances = len(scores)
    # Midpoints, so that `wanted` has the mean 1.
    rank = (torch.arange(instances, dtype=torch.double) + 0.5) / instances
    wanted = floor + 2 * (1 - floor) * rank
    # c, if the instances after the m-th are certain to be trained.
    below = torch.arange(1, instances + 1) + keep - instances
    factor = below / wanted.cumsum(0)
    # The fewest certain ones with which no other probability exceeds 1.
    last = torch.nonzero(factor * wanted <= 1)[-1]
    chance = (factor[last] * wanted).clamp(max=1)
    known = scores.nan_to_num(nan=torch.inf, posinf=torch.inf)
    _, group, size = known.unique(return_inverse=True, return_counts=True)
    # Each group of equal scores gets the mean of its probabilities.
    ends = size.cumsum(0)
    upto = torch.cat([chance.new_zeros(1), chance.cumsum(0)])
    mean = (upto[ends] - upto[ends - size]) / size
    # A difference of running sums may exceed 1 by a rounding error.
    return mean.clamp(max=1)[group]
