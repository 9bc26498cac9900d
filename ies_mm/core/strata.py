"""Scores that are compared within a class alone."""

import torch
from torch import Tensor


def ranks_within(scores: Tensor, strata: Tensor) -> Tensor:
    """Where each score stands among those of its stratum.

    Leaving out the lowest of these leaves the same part of every stratum out.

    Args:
        scores (Tensor): float64 (N,); NaN where there is none yet.
        strata (Tensor): int64 (N,), the stratum of each instance.

    Returns:
        Tensor: float64 (N,), from 0 to below 1: the part of the stratum's
        scores that is lower, and half of those that are equal, itself
        included. NaN where the score is.
    """
    ranks = torch.full_like(scores, torch.nan)
    known = ~scores.isnan()
    for stratum in strata[known].unique():
        members = known & (strata == stratum)
        _, which, times = scores[members].unique(
            return_inverse=True, return_counts=True
        )
        middle = times.cumsum(0) - times / 2
        ranks[members] = middle[which].double() / int(members.sum())
    return ranks
