"""Datasets that show other images than their positions map to."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mmengine.dataset import RepeatDataset
from mmpretrain.datasets import KFoldDataset
from torch.utils.data import Subset

from ies_mm.errors import ConfigError
from ies_mm.training.data.identity import InstanceMap
from ies_mm.training.data.tagging import TAG
from odd_data_sets import (
    Backwards,
    Caching,
    Elsewhere,
    Endless,
    Interleaved,
    Named,
    Next,
    Own,
    OwnWrapper,
    Shifted,
    Short,
    leaf,
)

UNKNOWN: dict[str, tuple[Callable[[Path], Any], str]] = {
    'item': (
        lambda folders: leaf(folders, Shifted),
        'Shifted overrides __getitem__',
    ),
    'nested item': (
        lambda folders: RepeatDataset(leaf(folders, Shifted), 2),
        'Shifted overrides __getitem__',
    ),
    'length': (
        lambda folders: leaf(folders, Endless),
        'Endless says that its length is 60, and has 20',
    ),
    'map': (
        lambda folders: Backwards(leaf(folders), 2),
        'Backwards overrides _get_ori_dataset_idx',
    ),
    'item of a wrapper': (
        lambda folders: Elsewhere(leaf(folders), 2),
        'Elsewhere overrides __getitem__',
    ),
    'length of a wrapper': (
        lambda folders: Short([leaf(folders), leaf(folders)]),
        'Short says that its length is 38, and has 40',
    ),
    'no concatenation': (
        lambda folders: Interleaved(
            [dict(type='CustomDataset', data_root=str(folders))] * 2
        ),
        r'Interleaved is neither .*\(ConcatDataset, RepeatDataset, ClassBal',
    ),
    'wrapper': (
        lambda folders: OwnWrapper(leaf(folders)),
        'OwnWrapper is neither',
    ),
    'subset': (
        lambda folders: Subset(leaf(folders), [3, 4]),
        'Subset is neither',
    ),
}


@pytest.mark.parametrize('name', UNKNOWN)
def test_what_shows_its_images_in_an_unknown_way_is_refused(
    folders: Path, name: str
) -> None:
    make, message = UNKNOWN[name]
    with pytest.raises(ConfigError, match=message):
        InstanceMap(make(folders))


KNOWN: dict[str, Callable[[Path], Any]] = {
    'folds': lambda folders: KFoldDataset(
        dict(
            type='CustomDataset', data_root=str(folders), lazy_init=False,
            pipeline=[
                dict(type='LoadImageFromFile'), dict(type='PackInputs'),
            ],
        ), fold=1, num_splits=4, seed=1,
    ),
    'named': lambda folders: Named([leaf(folders), leaf(folders)]),
    'in its own way': lambda folders: leaf(folders, Own),
    'the next': lambda folders: leaf(folders, Next),
    'kept': lambda folders: leaf(folders, Caching),
    'in place': lambda folders: in_place(leaf(folders)),
}  # fmt: skip


def in_place(dataset: Any) -> Any:
    """The object has a method that its class does not have."""
    prepare = dataset.prepare_data
    dataset.prepare_data = lambda index: prepare((index + 3) % 20)
    return dataset


@pytest.mark.parametrize('name', KNOWN)
def test_every_sample_has_the_number_of_its_own_image(
    folders: Path, name: str
) -> None:
    dataset = KNOWN[name](folders)
    own = dict(vars(dataset)).get('prepare_data')
    instances = InstanceMap(dataset)
    with instances.tagging():
        for position in [*range(len(dataset)), 3, 5]:
            sample = dataset[position]['data_samples']
            number = getattr(sample, TAG)
            assert sample.img_path == instances.paths()[number]
            if name in ('folds', 'named'):
                assert number == instances.of_position[position]
    assert dict(vars(dataset)).get('prepare_data') is own
