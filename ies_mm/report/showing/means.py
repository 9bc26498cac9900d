"""Means over runs, step by step."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray


def mean_by_step(
    tables: Sequence[Mapping[int, Sequence[float]]],
) -> tuple[list[int], NDArray[np.float64], int]:
    """Average what runs have at the same step.

    Args:
        tables (sequence of dict): Step -> K values, one for each run.

    Returns:
        tuple: Steps S, which are those that all runs have, then later ones
        that only some have; means (S, K); the number of steps in common.
    """
    shared = sorted(set.intersection(*map(set, tables)))
    end = max(shared, default=-1)
    later = sorted({step for table in tables for step in table if step > end})
    steps = [*shared, *later]
    means = [
        np.mean([table[step] for table in tables if step in table], axis=0)
        for step in steps
    ]
    return steps, np.array(means), len(shared)
