"""Random subsets of the instances."""

import math

import numpy as np
import torch
from torch import Tensor

from ies_mm.core.budget import NUDGE


def generator_of(*numbers: int) -> torch.Generator:
    """A generator that depends only on these numbers, each at least 0."""
    # Hashed, not added up: seed 0 in epoch 1 must not draw what seed 1 draws
    # in epoch 0.
    seeds = np.random.SeedSequence(numbers)
    return torch.Generator().manual_seed(int(seeds.generate_state(1)[0]))


def random_part(
    candidates: Tensor, ratio: float, generator: torch.Generator
) -> Tensor:
    """Draw a random part of the candidates.

    A fractional count is rounded up or down at random: if it were always
    rounded down, as in InfoBatch's code, the kept ones would count too
    little.

    Args:
        candidates (Tensor): int64 (M,), instances.
        ratio (float): The part to draw, from 0 to below 1.
        generator (torch.Generator): Source of randomness.
    """
    chance = float(torch.rand((), generator=generator, dtype=torch.double))
    # The nudge keeps 0.3 * 10 at 3 despite rounding errors.
    about = len(candidates) * ratio + NUDGE
    count = math.floor(about + chance * (1 - 2 * NUDGE))
    # Prefixes of one permutation: with equal generators, a smaller ratio draws
    # a subset, which RandomRemoval(static=True) relies on.
    order = torch.randperm(len(candidates), generator=generator)
    return candidates[order[:count]]


class Passes:
    """Shuffled passes through the instances: none twice before all once.

    Attributes:
        waiting (Tensor): int64 (W,), what the current pass has not had, in
            the order in which it comes.
    """

    def __init__(self) -> None:
        self.waiting = torch.empty(0, dtype=torch.int64)

    def all_but_next(
        self, candidates: Tensor, ratio: float, generator: torch.Generator
    ) -> Tensor:
        """What is left when the next ones have been taken.

        Arguments and number of instances returned as in :func:`random_part`.
        """
        left = len(random_part(candidates, ratio, generator))
        taken = self._next(candidates, len(candidates) - left, generator)
        return candidates[~torch.isin(candidates, taken)]

    def _next(
        self, candidates: Tensor, count: int, generator: torch.Generator
    ) -> Tensor:
        own = torch.isin(self.waiting, candidates)
        ahead, others = self.waiting[own], self.waiting[~own]
        if len(ahead) < count:
            order = torch.randperm(len(candidates), generator=generator)
            fresh = candidates[order]
            # An instance is taken once in a draw, even if it spans two passes.
            again = torch.isin(fresh, ahead)
            ahead = torch.cat([ahead, fresh[~again], fresh[again]])
        self.waiting = torch.cat([others, ahead[count:]])
        return ahead[:count]


def all_but(dropped: Tensor, instances: int) -> Tensor:
    """The mask of all instances except the dropped ones.

    Args:
        dropped (Tensor): int64 (D,), instances.
        instances (int): Number of instances N.

    Returns:
        Tensor: bool (N,).
    """
    active = torch.ones(instances, dtype=torch.bool)
    active[dropped] = False
    return active
