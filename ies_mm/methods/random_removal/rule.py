"""Random removal, the control (IES, appendix D)."""

import torch

from ies_mm.core.chance import all_but, random_part
from ies_mm.core.selection import Selection


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
    dropped = random_part(torch.arange(instances), ratio, generator)
    dropped = dropped[: instances - 1]
    return Selection(all_but(dropped, instances))
