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
    _, stratum, sizes = strata[known].unique(
        return_inverse=True, return_counts=True
    )
    _, level = scores[known].unique(return_inverse=True)
    # By stratum, then by score. Ties share a rank, so that a budget breaks
    # them at random, not by index.
    _, which, times = (stratum * len(scores) + level).unique(
        return_inverse=True, return_counts=True
    )
    # float64, as counts above 2 ** 24 are not whole in float32.
    middle = times.cumsum(0) - times.double() / 2
    before = sizes.cumsum(0) - sizes
    ranks[known] = (middle[which] - before[stratum]) / sizes[stratum]
    return ranks
