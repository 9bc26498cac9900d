"""The paper's rule as a literal loop over instances: the test oracle.

Nothing here is fast or used in training. It keeps Python lists, one value at
a time, so that a reader can hold it against Algorithm 1 and section 3.1.
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
        """One epoch: note what was observed, then judge every instance.

        Args:
            observed (mapping): Instance -> its term losses of this epoch;
                an instance that is missing was not observed.

        Returns:
            list[bool]: Per instance whether it is mastered.
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
        if len(differences) < self.window + 1:
            return False
        total = 0.0
        for value in differences[-self.window :]:
            total = total + abs(value)
        return total / self.window < self.delta


def _total(terms: Sequence[float]) -> float:
    total = 0.0
    for value in terms:
        if not math.isfinite(value):
            return math.nan
        total = total + value
    return total
