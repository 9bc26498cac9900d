"""The published rules as literal loops over instances: the test oracles.

Nothing here is fast or used in training. It works on Python lists, one value
at a time, so that a reader can compare it with the papers: IES with Algorithm
1 and section 3.1, InfoBatch with section 3.2 of Qin et al. (ICLR 2024).
"""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise


class ReferenceIES:
    """Algorithm 1's bookkeeping, one list of losses per instance.

    Args:
        instances (int): Number of instances.
        delta (float): Threshold.
        order (int): Order of the difference.
        window (int): Differences in the mean.
    """

    def __init__(
        self, instances: int, delta: float, order: int = 2, window: int = 3
    ) -> None:
        self.delta = delta
        self.order = order
        self.window = window
        self.losses: list[list[float]] = [[] for _ in range(instances)]

    def step(self, observed: Mapping[int, Sequence[float]]) -> list[bool]:
        """Record one epoch's observations, then judge every instance.

        Args:
            observed (mapping): Instance -> its term losses of this epoch;
                a missing instance was not observed.

        Returns:
            list[bool]: Whether each instance is mastered.
        """
        for instance, terms in observed.items():
            self.losses[instance].append(_total(terms))
        return [self._mastered(curve) for curve in self.losses]

    def _mastered(self, curve: list[float]) -> bool:
        differences = curve
        for _ in range(self.order):
            differences = [
                later - earlier for earlier, later in pairwise(differences)
            ]
        # One more than the mean reads, as in the authors' code.
        if len(differences) < self.window + 1:
            return False
        total = 0.0
        for value in differences[-self.window :]:
            total = total + abs(value)
        return total / self.window < self.delta


class ReferenceInfoBatch:
    """InfoBatch's bookkeeping, one score per instance.

    Args:
        instances (int): Number of instances.
        ratio (float): The part of the well-learned instances to drop.
    """

    def __init__(self, instances: int, ratio: float) -> None:
        self.ratio = ratio
        self.scores = [math.nan] * instances

    def step(self, observed: Mapping[int, Sequence[float]]) -> list[bool]:
        """Record one epoch's observations, then judge every instance.

        Args:
            observed (mapping): Instance -> its term losses of this epoch;
                a dropped instance is missing and keeps its score.

        Returns:
            list[bool]: Whether each instance is well learned.
        """
        for instance, terms in observed.items():
            self.scores[instance] = _total(terms)
        finite = [score for score in self.scores if not math.isnan(score)]
        mean = math.fsum(finite) / len(finite) if finite else math.nan
        return [score < mean for score in self.scores]

    def weights(
        self, well_learned: Sequence[bool], dropped: Sequence[int]
    ) -> list[float]:
        """Weight of each instance in the next epoch; 0 if dropped."""
        weights = []
        for instance, learned in enumerate(well_learned):
            if instance in dropped:
                weights.append(0.0)
            elif learned:
                weights.append(1 / (1 - self.ratio))
            else:
                weights.append(1.0)
        return weights


def _total(terms: Sequence[float]) -> float:
    total = 0.0
    for value in terms:
        if not math.isfinite(value):
            return math.nan
        total = total + value
    return total
