"""Parts of the instances that are drawn by chance."""

import math

import torch
from torch import Tensor


def random_part(
    candidates: Tensor, ratio: float, generator: torch.Generator
) -> Tensor:
    """A random part of the candidates.

    Where ``ratio`` of them is no whole number it is rounded up or down at
    random: always down, as InfoBatch's program does, and the kept ones would
    count too little.

    Args:
        candidates (Tensor): int64 (M,), instances.
        ratio (float): The part, from 0 to below 1.
        generator (torch.Generator): Draws them.
    """
    chance = float(torch.rand((), generator=generator, dtype=torch.double))
    # The nudge keeps 0.3 * 10 at 3 whatever its last bit is.
    count = math.floor(len(candidates) * ratio + 1e-9 + chance * (1 - 2e-9))
    order = torch.randperm(len(candidates), generator=generator)
    return candidates[order[:count]]


def all_but(dropped: Tensor, instances: int) -> Tensor:
    """All instances but some.

    Args:
        dropped (Tensor): int64 (D,), instances.
        instances (int): Number of instances N.

    Returns:
        Tensor: bool (N,).
    """
    active = torch.ones(instances, dtype=torch.bool)
    active[dropped] = False
    return active
