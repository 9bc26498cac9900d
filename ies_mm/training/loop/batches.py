"""The actual batches of an epoch.

Some batch samplers report another length than they yield: mmdet's
``AspectRatioBatchSampler`` with ``drop_last``, which drops the images that do
not fill a batch of their aspect ratio, and its
``MultiDataAspectRatioBatchSampler``, which has a batch size for each part.
"""

import copy
from collections.abc import Mapping
from typing import Any

import torch
from mmengine.dist import get_rank
from torch import Tensor
from torch.utils.data import BatchSampler, DataLoader, Sampler

from ies_mm.losses.capture.random_state import preserved_random_state
from ies_mm.training.data.sampler import IESSampler

_BY_ASPECT_RATIO = 'mmdet.datasets.samplers.batch_sampler.'
_BY_ASPECT_RATIO += 'AspectRatioBatchSampler'


def largest_size(loader: DataLoader) -> int:
    """The batch size, or the largest one if parts have different sizes."""
    return max(sizes_of(loader))


def sizes_of(loader: DataLoader) -> list[int]:
    """The batch sizes of a loader, usually one.

    Of a batch sampler without ``batch_size`` it is the average.
    """
    batches: Any = loader.batch_sampler
    size = getattr(batches, 'batch_size', None)
    if size is None:
        return [-(-len(batches.sampler) // max(1, len(batches)))]
    return [size] if isinstance(size, int) else [*size]


def sampler_of(loader: DataLoader) -> Any:
    """The sampler that actually orders the samples.

    A batch sampler in the config hides it: ``loader.sampler`` is then just a
    ``SequentialSampler``.
    """
    return getattr(loader.batch_sampler, 'sampler', loader.sampler)


def copied(batch_sampler: Any, order: 'GivenOrder') -> Any:
    """A copy of a batch sampler over another order.

    Args:
        batch_sampler (BatchSampler): The original; it is not changed.
        order (GivenOrder): The other order, of the same dataset.
    """
    emptied = _over(GivenOrder(order.dataset), batch_sampler)
    # The original may be in use and hold images for later batches, as mmdet's
    # by aspect ratio does; without an order, its copy yields just these.
    with preserved_random_state():
        for _ in emptied:
            pass
    return _over(order, emptied)


def _over(order: 'GivenOrder', batch_sampler: Any) -> Any:
    # deepcopy takes these from its memo instead of copying the dataset.
    shared = {
        id(batch_sampler.sampler): order,
        id(order.dataset): order.dataset,
    }
    return copy.deepcopy(batch_sampler, shared)


def sample_of(batch: Any, place: int) -> Any:
    """One sample of a batch, as the dataset returned it.

    Args:
        batch (Any): As MMEngine's collate functions make it: samples that are
            dicts or tuples become a dict or tuple of batches.
        place (int): Index of the sample.
    """
    if isinstance(batch, Mapping):
        return {key: sample_of(part, place) for key, part in batch.items()}
    if isinstance(batch, list | tuple) and any(
        isinstance(part, list | tuple | Mapping) for part in batch
    ):
        return tuple(sample_of(part, place) for part in batch)
    return batch[place]


class GivenOrder(Sampler[int]):
    """Yields the indices in ``given``; batch samplers read its dataset."""

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset
        self.given: list[int] = []

    def __iter__(self) -> Any:
        return iter(self.given)

    def __len__(self) -> int:
        return len(self.given)


class EpochBatches:
    """Counts the batches of an epoch for any selection.

    Args:
        loader (DataLoader): The training loader.
        sampler (IESSampler): Its sampler.
    """

    def __init__(self, loader: DataLoader, sampler: IESSampler) -> None:
        self._batch_sampler: Any = loader.batch_sampler
        self._sampler = sampler

    @property
    def length_is_reliable(self) -> bool:
        """Whether the length reported by the batch sampler can be trusted."""
        kind = type(self._batch_sampler)
        if kind is BatchSampler:
            return True
        named = f'{kind.__module__}.{kind.__qualname__}'
        return named == _BY_ASPECT_RATIO and not self._batch_sampler.drop_last

    def sizes(self, positions: Tensor, epoch: int) -> list[list[int]]:
        """Size of every batch of an epoch, rank by rank.

        Makes the batches of indices without loading an image.

        Args:
            positions (Tensor): int64, the selected positions.
            epoch (int): From 0.
        """
        order = GivenOrder(self._sampler.dataset)
        found = []
        # Copies of the batch sampler read their order from this attribute.
        for order.given in self._sampler.orders(positions, epoch):
            batches = copied(self._batch_sampler, order)
            # A batch sampler may draw random numbers.
            with preserved_random_state():
                found.append([len(batch) for batch in batches])
        return found

    def count(self, positions: Tensor, epoch: int) -> int:
        """Number of batches of this rank; see :meth:`sizes`."""
        return len(self.sizes(positions, epoch)[get_rank()])

    def everything(self) -> Tensor:
        """int64, all positions."""
        return torch.arange(len(self._sampler.dataset))
