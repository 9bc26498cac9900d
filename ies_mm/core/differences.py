"""Flatness of a loss curve, measured by its differences."""

import torch
from torch import Tensor


def flatness(values: Tensor, order: int, window: int) -> Tensor:
    r"""Mean magnitude of the last differences, :math:`m_i`.

    Args:
        values (Tensor): (K, ...) with K >= order + window, newest row last.
        order (int): n of the differences :math:`\Delta^n L` of consecutive
            rows (paper, eq. 1 and 2); 0 for the rows themselves.
        window (int): Differences averaged.

    Returns:
        Tensor: float64 (...), the mean of ``window`` absolute differences;
        NaN where any of the observations is NaN.
    """
    recent = values[-(order + window) :].double()
    magnitudes = torch.diff(recent, n=order, dim=0).abs()
    # Added one by one, in the order of ReferenceIES: a sum in another order
    # could differ in its last bits.
    total = magnitudes[0]
    for magnitude in magnitudes[1:]:
        # abs has made a new tensor, so this leaves the history alone.
        total += magnitude
    return total / window
