"""Running means of each instance's observations."""

import torch
from torch import Tensor


def update_running(
    running: Tensor, ids: Tensor, values: Tensor, discount: float
) -> None:
    r"""Update running means, :math:`r \leftarrow \gamma a + (1-\gamma) r`.

    Instances that were not observed, or whose value is NaN or infinite, keep
    their mean. The first value of an instance becomes its mean.

    Args:
        running (Tensor): float64 (N,), updated in place; NaN for instances
            not yet observed.
        ids (Tensor): int64 (M,), observed instances, each once.
        values (Tensor): float (M,), a.
        discount (float): :math:`\gamma`, 0 to 1.
    """
    finite = torch.isfinite(values)
    ids, new = ids[finite], values[finite].double()
    old = running[ids]
    mixed = discount * new + (1 - discount) * old
    running[ids] = torch.where(torch.isnan(old), new, mixed)
