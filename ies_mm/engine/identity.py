"""Which instance is this sample of?

An instance is one image of a leaf data set, counted once, whatever wrappers
repeat it. Instances are numbered leaf after leaf; a data set wrapper shows
them at *positions*, the indices that a sampler yields.
"""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from inspect import getattr_static
from typing import Any

import torch
from mmengine.dataset import BaseDataset
from torch import Tensor

from ies_mm.errors import ConfigError

TAG = 'ies_instance'
"""Meta information key under which a sample carries its instance number."""


class InstanceMap:
    """Numbers the instances of a (wrapped) data set.

    Args:
        dataset (Dataset): A ``BaseDataset`` or nested wrappers of such:
            ``ConcatDataset``, ``RepeatDataset``, ``ClassBalancedDataset`` or
            anything else with a ``dataset`` and ``_get_ori_dataset_idx``.

    Raises:
        ConfigError: A data set that has no way to tell its images apart.
    """

    def __init__(self, dataset: Any) -> None:
        self.leaves: list[BaseDataset] = []
        self._offsets: list[int] = []
        self.of_position: Tensor = self._number(dataset)
        self._paths: list[str] | None = None

    def __len__(self) -> int:
        """Number of instances N."""
        return self._next_number()

    def paths(self) -> list[str]:
        """The image path of every instance, in order of their numbers."""
        if self._paths is None:
            self._paths = [
                _path(leaf, index)
                for leaf in self.leaves
                for index in range(len(leaf))
            ]
        return self._paths

    def first_positions(self) -> Tensor:
        """int64 (N,), the first position that shows each instance."""
        shown = self.of_position
        first = torch.full((len(self),), len(shown))
        return first.scatter_reduce_(
            0, shown, torch.arange(len(shown)), reduce='amin'
        )

    def fingerprint(self) -> str:
        """A hash of the images and their order, the same in every run."""
        return hashlib.sha256('\n'.join(self.paths()).encode()).hexdigest()

    @contextmanager
    def tagging(self) -> Iterator[None]:
        """Have every item of the leaves carry the number of its instance.

        Wraps ``prepare_data`` of the leaf data sets, which is given the index
        of the image that is really loaded, also where a pipeline returned
        None and another image was fetched instead. Open it before workers
        start: they hold copies of the data set.
        """
        for leaf, offset in zip(self.leaves, self._offsets, strict=True):
            vars(leaf)['prepare_data'] = _TaggedPreparation(leaf, offset)
        try:
            yield
        finally:
            for leaf in self.leaves:
                del vars(leaf)['prepare_data']

    def _number(self, dataset: Any) -> Tensor:
        if isinstance(dataset, BaseDataset):
            return self._number_leaf(dataset)
        if hasattr(dataset, 'datasets'):
            return torch.cat([self._number(part) for part in dataset.datasets])
        if hasattr(dataset, '_get_ori_dataset_idx'):
            inner = self._number(dataset.dataset)
            origin = [
                dataset._get_ori_dataset_idx(position)
                for position in range(len(dataset))
            ]
            return inner[torch.tensor(origin, dtype=torch.long)]
        raise ConfigError(
            f'train_dataloader.dataset: {type(dataset).__name__} is neither '
            'an mmengine BaseDataset nor a wrapper of one, so its images '
            'cannot be told apart; derive it from mmengine.dataset.BaseDataset'
        )

    def _number_leaf(self, leaf: BaseDataset) -> Tensor:
        known = [id(other) for other in self.leaves]
        if id(leaf) not in known:
            self._offsets.append(self._next_number())
            self.leaves.append(leaf)
            known.append(id(leaf))
        return self._offsets[known.index(id(leaf))] + torch.arange(len(leaf))

    def _next_number(self) -> int:
        if not self.leaves:
            return 0
        return self._offsets[-1] + len(self.leaves[-1])


def batch_instances(data_batch: Any) -> Tensor:
    """The instance numbers of a batch as the data loader gave it.

    Returns:
        Tensor: int64 (B,).

    Raises:
        ConfigError: The samples carry no number.
    """
    samples = (
        data_batch.get('data_samples')
        if isinstance(data_batch, Mapping)
        else None
    )
    numbers = [getattr(sample, TAG, None) for sample in samples or []]
    if not numbers or None in numbers:
        raise ConfigError(
            "the batch's data_samples do not say which image they show; the "
            "pipeline must end in OpenMMLab's own packing (PackDetInputs, "
            'PackSegInputs, PackInputs)'
        )
    return torch.tensor(numbers, dtype=torch.long)


def mixing_transforms(
    dataset: Any, key: str = 'train_dataloader.dataset'
) -> Iterator[str]:
    """Config keys of the transforms that make one sample of several images.

    Such a transform (Mosaic, MixUp, CopyPaste ...) asks its data set for
    further indices through ``get_indexes`` or ``get_indices``.
    """
    pipeline = getattr(dataset, 'pipeline', ())
    yield from _mixing(pipeline, f'{key}.pipeline')
    if hasattr(dataset, 'dataset'):
        yield from mixing_transforms(dataset.dataset, f'{key}.dataset')
    for i, part in enumerate(getattr(dataset, 'datasets', ())):
        yield from mixing_transforms(part, f'{key}.datasets[{i}]')


def _mixing(transforms: Any, key: str) -> Iterator[str]:
    for i, transform in enumerate(
        getattr(transforms, 'transforms', transforms)
    ):
        place = f'{key}[{i}]'
        if mixes(transform):
            yield f'{place} ({type(transform).__name__})'
        else:
            # RandomApply, RandomChoice and their like hold further ones.
            inner = getattr(transform, 'transforms', ())
            yield from _mixing(inner, f'{place}.transforms')


def mixes(transform: Any) -> bool:
    """Whether a transform, or its class, asks for further images."""
    # Static, because mmcv's cached methods cannot be read off a class.
    return any(
        getattr_static(transform, method, None) is not None
        for method in ('get_indexes', 'get_indices')
    )


class _TaggedPreparation:
    """``leaf.prepare_data`` that tags what it returns; can be pickled."""

    def __init__(self, leaf: BaseDataset, offset: int) -> None:
        self.leaf = leaf
        self.offset = offset

    def __call__(self, index: int) -> Any:
        item = type(self.leaf).prepare_data(self.leaf, index)
        if isinstance(item, Mapping) and 'data_samples' in item:
            item['data_samples'].set_metainfo({TAG: self.offset + index})
        return item


def _path(leaf: BaseDataset, index: int) -> str:
    info = leaf.get_data_info(index)
    return str(info.get('img_path', f'{type(leaf).__name__}[{index}]'))
