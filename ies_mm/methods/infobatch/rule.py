"""InfoBatch's rule (Qin et al., ICLR 2024, section 3.2)."""

import torch
from torch import Tensor

from ies_mm.core.chance import all_but, random_part
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
    dropped = random_part(candidates, ratio, generator)
    weight = torch.ones(len(scores))
    weight[candidates] = 1 / (1 - ratio)
    weight[dropped] = 1
    return below, Selection(all_but(dropped, len(scores)), weight)
