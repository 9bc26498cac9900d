"""Which images may be in a sample, for all processes of a loader."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from mmengine.dataset import BaseDataset
from torch import Tensor

from ies_mm.training.data.tagging import PARTNERS, TAG


class Kept:
    """Which images may be a partner, for all processes of a loader.

    The flags lie in shared memory: workers have copies of the data set, which
    persist through the epochs, and see a new selection all the same.

    Args:
        instances (int): Number of instances N.
    """

    def __init__(self, instances: int) -> None:
        self._flags = torch.ones(instances, dtype=torch.bool).share_memory_()

    def __deepcopy__(self, memo: dict[int, Any]) -> 'Kept':
        """All are kept in a copy: what is pruned is the training's own.

        Workers' data sets are pickled or forked, and share the flags.
        """
        return type(self)(len(self._flags))

    def set(self, active: Tensor) -> None:
        """Keep these alone from now on; bool (N,)."""
        self._flags.copy_(active)

    def positions(self, numbers: Tensor) -> list[int] | None:
        """Where a data set shows what is kept; None for everywhere.

        Args:
            numbers (Tensor): int64, the instance at every position; below 0
                for an image that is no instance, and may be a partner.
        """
        kept = self._flags[numbers.clamp(min=0)] | (numbers < 0)
        return None if kept.all() else torch.nonzero(kept).flatten().tolist()

    def holds(self, sample: Mapping[str, Any]) -> bool:
        """Whether all images of a sample are kept."""
        return all(n < 0 or bool(self._flags[n]) for n in images_in(sample))


def images_in(sample: Mapping[str, Any]) -> tuple[int, ...]:
    """The instances in a sample that goes through a pipeline.

    Below 0 where that is not known: it was made before the training.
    """
    return (sample.get(TAG, -1), *sample.get(PARTNERS, ()))


class KeptPart:
    """A data set as if it had nothing but some positions."""

    def __init__(self, dataset: Any, positions: list[int]) -> None:
        self._dataset = dataset
        self._positions = positions

    def __len__(self) -> int:
        return len(self._positions)

    def __getitem__(self, index: int) -> Any:
        return self._dataset[self._positions[index]]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._dataset, name)


class AnotherKept:
    """``_rand_another`` of a data set, of the images that are kept.

    It is asked for where a pipeline gave None. Can be pickled.

    Args:
        dataset (BaseDataset): The data set.
        numbers (Tensor): int64, the instance at each of its indices.
        kept (Kept): Those that may be fetched.
    """

    def __init__(
        self, dataset: BaseDataset, numbers: Tensor, kept: Kept
    ) -> None:
        self._dataset = dataset
        self._numbers = numbers
        self._kept = kept

    def __call__(self) -> int:
        indices = self._kept.positions(self._numbers)
        if indices is None:
            return type(self._dataset)._rand_another(self._dataset)
        return indices[np.random.randint(len(indices))]
