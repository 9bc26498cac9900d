"""Random subsets of the instances."""

import math

import numpy as np
import torch
from torch import Tensor


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
    count = math.floor(len(candidates) * ratio + 1e-9 + chance * (1 - 2e-9))
    # Prefixes of one permutation: with equal generators, a smaller ratio draws
    # a subset, which RandomRemoval(static=True) relies on.
    order = torch.randperm(len(candidates), generator=generator)
    return candidates[order[:count]]


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
