"""Running means of what is observed of each instance."""

import torch
from torch import Tensor


def update_running(
    running: Tensor, ids: Tensor, values: Tensor, discount: float
) -> None:
    r"""Take values in, :math:`r \leftarrow \gamma a + (1-\gamma) r`.

    What was not observed keeps its mean; so does an instance whose value is
    NaN or infinite. The first value of an instance is its mean.

    Args:
        running (Tensor): float64 (N,), changed in place; NaN where nothing
            has been observed.
        ids (Tensor): int64 (M,), instances observed, each once.
        values (Tensor): float (M,), a.
        discount (float): :math:`\gamma`, 0 to 1.
    """
    finite = torch.isfinite(values)
    ids, new = ids[finite], values[finite].double()
    old = running[ids]
    mixed = discount * new + (1 - discount) * old
    running[ids] = torch.where(torch.isnan(old), new, mixed)
