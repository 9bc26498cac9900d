"""Datasets, wrappers and transforms that show images in unusual ways."""

import copy
from pathlib import Path
from typing import Any

from mmengine.dataset import ConcatDataset, RepeatDataset
from mmengine.registry import init_default_scope
from mmpretrain.datasets import CustomDataset
from mmpretrain.registry import DATASETS, TRANSFORMS


@DATASETS.register_module()
class Shifted(CustomDataset):
    """Shows the next image."""

    def __getitem__(self, index: int) -> Any:
        return super().__getitem__((index + 1) % len(self))


@DATASETS.register_module()
class Endless(CustomDataset):
    """Reports a length longer than it is."""

    def __len__(self) -> int:
        return 3 * super().__len__()

    def get_data_info(self, index: int) -> Any:
        return super().get_data_info(index % super().__len__())


@DATASETS.register_module()
class Next(CustomDataset):
    """Loads the next image."""

    def prepare_data(self, index: int) -> Any:
        return super().prepare_data((index + 1) % len(self))


@DATASETS.register_module()
class Own(CustomDataset):
    """Loads the right image in its own way."""

    def prepare_data(self, index: int) -> Any:
        info = self.get_data_info(index)
        return self.pipeline(copy.deepcopy(info))


@DATASETS.register_module()
class Caching(CustomDataset):
    """Loads an image once, but the next one."""

    def prepare_data(self, index: int) -> Any:
        self.kept: dict[int, Any] = getattr(self, 'kept', {})
        if index not in self.kept:
            other = (index + 1) % len(self)
            self.kept[index] = super().prepare_data(other)
        return copy.deepcopy(self.kept[index])


@DATASETS.register_module()
class PastInfo(CustomDataset):
    """Loads an image from its own list."""

    def prepare_data(self, index: int) -> Any:
        return self.pipeline(copy.deepcopy(self.data_list[index]))


@DATASETS.register_module()
class Two(CustomDataset):
    """Uses two images for a sample."""

    def prepare_data(self, index: int) -> Any:
        self.get_data_info((index + 1) % len(self))
        return super().prepare_data(index)


@DATASETS.register_module()
class Moving(CustomDataset):
    """Shows another image for an index every time."""

    asked = 0

    def get_data_info(self, index: int) -> Any:
        self.asked += 1
        return super().get_data_info((index + self.asked // 20) % len(self))


@DATASETS.register_module()
class Interleaved:
    """Interleaves its parts instead of concatenating them."""

    def __init__(self, datasets: list[dict]) -> None:
        self.datasets = [DATASETS.build(dataset) for dataset in datasets]
        self.metainfo = self.datasets[0].metainfo

    def __len__(self) -> int:
        return sum(map(len, self.datasets))

    def __getitem__(self, index: int) -> Any:
        return self.datasets[index % 2][index // 2]


class Backwards(RepeatDataset):
    """Maps indices in its own way."""

    def _get_ori_dataset_idx(self, idx: int) -> int:
        return self._ori_len - 1 - super()._get_ori_dataset_idx(idx)


class Elsewhere(RepeatDataset):
    """Shows images other than those it maps to."""

    def __getitem__(self, idx: int) -> Any:
        return super().__getitem__(idx + 1)


class Short(ConcatDataset):
    """Shows fewer images than its parts have."""

    def __len__(self) -> int:
        return super().__len__() - 2


class Named(ConcatDataset):
    """Adds attributes that do not affect the images."""

    def name(self) -> str:
        return 'named'


class OwnWrapper:
    """An unknown wrapper that appears to declare what it shows."""

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def _get_ori_dataset_idx(self, index: int) -> int:
        return index

    def __getitem__(self, index: int) -> Any:
        return self.dataset[len(self) - 1 - index]


@TRANSFORMS.register_module()
class Exchange:
    """Shows the previous image instead of one of them."""

    before: Any = None

    def __call__(self, results: dict) -> dict:
        if self.before is not None and results['sample_idx'] == 5:
            return copy.deepcopy(self.before)
        self.before = copy.deepcopy(results)
        return results


def leaf(folders: Path, kind: type = CustomDataset, **changes: Any) -> Any:
    init_default_scope('mmpretrain')
    pipeline = [dict(type='LoadImageFromFile'), dict(type='PackInputs')]
    return kind(data_root=str(folders), pipeline=pipeline, **changes)


BROKEN = (3, 7)


@TRANSFORMS.register_module()
class Break:
    """Makes two images unreadable."""

    def __call__(self, results: dict) -> dict:
        if results['sample_idx'] in BROKEN:
            raise OSError
        return results


@DATASETS.register_module()
class AsksItself(CustomDataset):
    """Catches errors and loads the next image instead."""

    def prepare_data(self, index: int) -> Any:
        try:
            return super().prepare_data(index)
        except OSError:
            return self.prepare_data((index + 1) % len(self))


@DATASETS.register_module()
class AsksItsParent(CustomDataset):
    def prepare_data(self, index: int) -> Any:
        try:
            return super().prepare_data(index)
        except OSError:
            return super().prepare_data((index + 1) % len(self))


@DATASETS.register_module()
class KnowsBefore(CustomDataset):
    def prepare_data(self, index: int) -> Any:
        if index in BROKEN:
            return self[(index + 1) % len(self)]
        return super().prepare_data(index)


@DATASETS.register_module()
class HasBrokenInfos(CustomDataset):
    def get_data_info(self, index: int) -> Any:
        if index in BROKEN and not self.whole:
            raise OSError
        return super().get_data_info(index)

    whole = True

    def prepare_data(self, index: int) -> Any:
        self.whole = False
        try:
            return super().prepare_data(index)
        except OSError:
            return super().prepare_data((index + 1) % len(self))


CATCHING = ('AsksItself', 'AsksItsParent', 'KnowsBefore', 'HasBrokenInfos')
