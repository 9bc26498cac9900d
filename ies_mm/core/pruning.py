"""Rules that leave out by the last loss, or by chance.

InfoBatch: Qin et al., ICLR 2024 (section 3.2). Random removal: the control of
the IES paper (appendix D).
"""

import math

import torch
from torch import Tensor

from ies_mm.core.selection import Selection


def well_learned(scores: Tensor) -> Tensor:
    """Instances whose score is below the mean score.

    Args:
        scores (Tensor): float (N,). One that is NaN or infinite is not well
            learned and is left out of the mean.

    Returns:
        Tensor: bool (N,).
    """
    finite = torch.isfinite(scores)
    return finite & (scores < scores[finite].double().mean())


def infobatch(
    scores: Tensor, ratio: float, generator: torch.Generator
) -> tuple[Tensor, Selection]:
    """InfoBatch's soft pruning.

    Of the well-learned instances a random part ``ratio`` is dropped; those
    that stay count ``1 / (1 - ratio)`` times, so that the loss of an epoch
    is, in expectation, that of all instances.

    Args:
        scores (Tensor): float (N,), the last loss of every instance.
        ratio (float): r, 0 <= r < 1.
        generator (torch.Generator): Draws what is dropped.

    Returns:
        tuple: The well-learned instances, bool (N,), and the selection.
    """
    below = well_learned(scores)
    candidates = torch.nonzero(below).flatten()
    dropped = _draw(candidates, ratio, generator)
    weight = torch.ones(len(scores))
    weight[candidates] = 1 / (1 - ratio)
    weight[dropped] = 1
    return below, Selection(_all_but(dropped, len(scores)), weight)


def random_removal(
    instances: int, ratio: float, generator: torch.Generator
) -> Selection:
    """Leave out a random part of the instances, without any weights.

    Args:
        instances (int): Number of instances N.
        ratio (float): The part left out, 0 <= ratio < 1. One instance is
            always left.
        generator (torch.Generator): Draws what is left out.
    """
    dropped = _draw(torch.arange(instances), ratio, generator)
    dropped = dropped[: instances - 1]
    return Selection(_all_but(dropped, instances))


def _draw(
    candidates: Tensor, ratio: float, generator: torch.Generator
) -> Tensor:
    """A random part of the candidates.

    Where ``ratio`` of them is no whole number it is rounded up or down at
    random: always down, as InfoBatch's program does, and the kept ones would
    count too little.
    """
    chance = float(torch.rand((), generator=generator, dtype=torch.double))
    # The nudge keeps 0.3 * 10 at 3 whatever its last bit is.
    count = math.floor(len(candidates) * ratio + 1e-9 + chance * (1 - 2e-9))
    order = torch.randperm(len(candidates), generator=generator)
    return candidates[order[:count]]


def _all_but(dropped: Tensor, instances: int) -> Tensor:
    active = torch.ones(instances, dtype=torch.bool)
    active[dropped] = False
    return active
