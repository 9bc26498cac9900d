"""Which images may be mixed into samples, shared with a loader's workers."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from mmengine.dataset import BaseDataset
from torch import Tensor

from ies_mm.training.data.tagging import PARTNERS, TAG


class Kept:
    """Which images may be mixing partners, shared with a loader's workers.

    The flags are in shared memory, so that even persistent workers, which
    hold copies of the dataset, see a new selection.

    Args:
        instances (int): Number of instances N.
    """

    def __init__(self, instances: int) -> None:
        self._flags = torch.ones(instances, dtype=torch.bool).share_memory_()
        self._changes = torch.zeros((), dtype=torch.int64).share_memory_()
        # Of this process: every draw of a partner asks for the positions.
        self._found: dict[int, tuple[Tensor, int, list[int] | None]] = {}

    def __deepcopy__(self, memo: dict[int, Any]) -> 'Kept':
        """Keep all images in a copy; pruning concerns only the training.

        Workers' datasets are pickled or forked, and share the flags.
        """
        return type(self)(len(self._flags))

    def set(self, active: Tensor) -> None:
        """Keep only these from now on; bool (N,)."""
        self._flags.copy_(active)
        # Afterwards: a worker that reads half of them must read them again.
        self._changes += 1

    def positions(self, numbers: Tensor) -> list[int] | None:
        """The positions of the kept images; None if all are kept.

        Args:
            numbers (Tensor): int64, the instance at every position; negative
                for an image that is not an instance and may be a partner.
        """
        changes = int(self._changes)
        known = self._found.get(id(numbers))
        # The numbers themselves, too, as an id may be used again.
        if known is None or known[0] is not numbers or known[1] != changes:
            known = (numbers, changes, self._positions(numbers))
            self._found[id(numbers)] = known
        return known[2]

    def _positions(self, numbers: Tensor) -> list[int] | None:
        # Without the clamp -1 would read the flag of the last image.
        kept = self._flags[numbers.clamp(min=0)] | (numbers < 0)
        return None if kept.all() else torch.nonzero(kept).flatten().tolist()

    def holds(self, sample: Mapping[str, Any]) -> bool:
        """Whether all images of a sample are kept."""
        return all(n < 0 or bool(self._flags[n]) for n in images_in(sample))


def images_in(sample: Mapping[str, Any]) -> tuple[int, ...]:
    """The instances in a sample that goes through a pipeline.

    Negative if it was made before the training, or is none of the instances
    (``num_batch_per_epoch`` leaves images out).
    """
    own = sample.get(TAG)
    return (own if isinstance(own, int) else -1, *sample.get(PARTNERS, ()))


class KeptPart:
    """A view of a dataset restricted to some positions."""

    def __init__(self, dataset: Any, positions: list[int]) -> None:
        self._dataset = dataset
        self._positions = positions

    def __len__(self) -> int:
        return len(self._positions)

    def __getitem__(self, index: int) -> Any:
        return self._dataset[self._positions[index]]

    def __getattr__(self, name: str) -> Any:
        # A copy asks for `__setstate__` before it has a dataset.
        if name.startswith('__') or name == '_dataset':
            raise AttributeError(name)
        return getattr(self._dataset, name)


class AnotherKept:
    """A dataset's ``_rand_another``, restricted to the kept images.

    It is called when a pipeline returns None. Can be pickled.

    Args:
        dataset (BaseDataset): The dataset.
        numbers (Tensor): int64, the instance at each of its indices.
        kept (Kept): The images that may be fetched.
        failed (list of int): The instances that gave nothing so far; changed
            in place by the dataset's ``prepare_data``.
    """

    def __init__(
        self,
        dataset: BaseDataset,
        numbers: Tensor,
        kept: Kept,
        failed: list[int],
    ) -> None:
        self._dataset = dataset
        self._numbers = numbers
        self._kept = kept
        self._failed = failed

    def __call__(self) -> int:
        indices = self._kept.positions(self._numbers)
        if indices is None or self._have_failed(indices):
            # By the class: on the object this very callable is _rand_another.
            return type(self._dataset)._rand_another(self._dataset)
        # NumPy's global generator, which MMEngine draws from here, too.
        return indices[np.random.randint(len(indices))]

    def _have_failed(self, indices: list[int]) -> bool:
        """Whether no kept image is left, or none was, as in a pruned part."""
        if len(self._failed) < len(indices):
            return False
        return {*self._numbers[indices].tolist()} <= {*self._failed}
