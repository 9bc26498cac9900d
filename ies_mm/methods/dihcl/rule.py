"""DIHCL: train on what has been hard so far.

Zhou, Wang and Bilmes, *Curriculum Learning by Dynamic Instance Hardness*,
NeurIPS 2020, in its variant DIHCL-Rand with the loss as hardness.
"""

import math

import torch
from torch import Tensor

from ies_mm.core.selection import Selection


def update_hardness(
    running: Tensor, ids: Tensor, hardness: Tensor, discount: float
) -> None:
    r"""Take observations in, :math:`r \leftarrow \gamma a + (1-\gamma) r`.

    What was not observed keeps its running hardness; so does an instance
    whose hardness is NaN or infinite. The first hardness of an instance is
    its running hardness.

    Args:
        running (Tensor): float64 (N,), changed in place; NaN where nothing
            has been observed.
        ids (Tensor): int64 (M,), instances observed, each once.
        hardness (Tensor): float (M,), their hardness a.
        discount (float): :math:`\gamma`, 0 to 1.
    """
    finite = torch.isfinite(hardness)
    ids, new = ids[finite], hardness[finite].double()
    old = running[ids]
    mixed = discount * new + (1 - discount) * old
    running[ids] = torch.where(torch.isnan(old), new, mixed)


def budget(epoch: int, start: float, factor: float, end: float) -> float:
    """The part of the instances that an epoch trains.

    It goes from ``start`` to ``end`` by ``factor`` an epoch: a budget that
    shrinks with a factor below 1, that grows with one above.

    Args:
        epoch (int): Epochs since the first selected one, from 0.
        start (float): Of the first selected epoch.
        factor (float): From one epoch to the next.
        end (float): Where it stays.
    """
    try:
        reached = start * float(factor) ** epoch
    except OverflowError:
        reached = math.inf
    return max(reached, end) if end <= start else min(reached, end)


def hardest(
    running: Tensor, part: float, generator: torch.Generator
) -> Selection:
    """Draw instances with a probability in proportion to their hardness.

    Args:
        running (Tensor): float (N,), the running hardness. What has none yet
            counts as hard as the hardest.
        part (float): How many of the instances, 0 to 1; at least one is
            drawn.
        generator (torch.Generator): Draws, without replacement.
    """
    known = running[torch.isfinite(running)]
    most = float(known.max()) if len(known) else 1.0
    weights = torch.nan_to_num(running.double(), nan=most)
    # None is impossible to draw, or few hard ones could not fill the budget.
    weights = weights.clamp(min=max(most * 1e-6, 1e-12))
    count = max(1, round(part * len(running)))
    drawn = torch.multinomial(weights, count, generator=generator)
    active = torch.zeros(len(running), dtype=torch.bool)
    active[drawn] = True
    return Selection(active)
