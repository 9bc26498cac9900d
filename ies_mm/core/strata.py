"""Scores compared only within a class."""

import torch
from torch import Tensor


def ranks_within(scores: Tensor, strata: Tensor) -> Tensor:
    """Rank each score among the scores of its stratum.

    Pruning the lowest ranks prunes the same part of every stratum.

    Args:
        scores (Tensor): float64 (N,); NaN where there is none yet.
        strata (Tensor): int64 (N,), the stratum of each instance.

    Returns:
        Tensor: float64 (N,), in [0, 1): the part of the stratum's scores that
        are lower, plus half of those that are equal, itself included. NaN
        where the score is NaN.
    """
    ranks = torch.full_like(scores, torch.nan)
    known = ~scores.isnan()
    for stratum in strata[known].unique():
        members = known & (strata == stratum)
        _, which, times = scores[members].unique(
            return_inverse=True, return_counts=True
        )
        # Ties share a rank, so that a budget breaks them at random, not by
        # index.
        middle = times.cumsum(0) - times / 2
        ranks[members] = middle[which].double() / int(members.sum())
    return ranks
