"""Datasets that show other images than their positions map to."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.dataset import RepeatDataset, pseudo_collate
from mmengine.hooks import Hook
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mmpretrain.datasets import KFoldDataset
from mmpretrain.registry import DATASETS
from torch.utils.data import Subset

from ies_mm.errors import ConfigError
from ies_mm.training.data.identity import InstanceMap
from ies_mm.training.data.tagging import INSTEAD, TAG
from method_cases import config_of
from odd_data_sets import (
    BROKEN,
    CATCHING,
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
from runs import FixedSelection, epochs_of, instances_of, train, with_hook
from task_runs import in_iterations

OUT = {1: [2, 3, 7], 2: [2, 3, 7]}


def catching(config: Config, kind: str) -> None:
    dataset = config.train_dataloader.dataset
    dataset.type = kind
    if kind.startswith('Asks'):
        dataset.pipeline.insert(1, dict(type='Break'))


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


class Steps(Hook):
    """Counts the training steps."""

    priority = 'LOWEST'
    made = 0

    def after_train_iter(self, *_: Any, **__: Any) -> None:
        self.made += 1


def refused(config: Config, message: str) -> int:
    """Expect an error with a message; return the steps made before it."""
    steps = Steps()

    def prepare(runner: Runner) -> None:
        runner.register_hook(FixedSelection(OUT, keep_history=True))
        runner.register_hook(steps)

    with pytest.raises(ConfigError, match=message):
        train(config, prepare)
    return steps.made


@pytest.mark.parametrize('workers', [0, 1])
@pytest.mark.parametrize(
    ('kind', 'message'),
    [
        ('Shifted', 'overrides __getitem__'),
        ('PastInfo', r'^PastInfo.prepare_data loads an image without get_'),
        ('Two', r'^Two.prepare_data asks get_data_info for 2 images'),
        ('Moving', 'in place of .*get_data_info or a transform'),
    ],
)
def test_a_data_set_is_refused_before_the_first_step(
    folders: Path, tmp_path: Path, kind: str, message: str, workers: int
) -> None:
    config = config_of(folders, tmp_path, 3)
    config.train_dataloader.dataset.type = kind
    config.train_dataloader.dataset.serialize_data = False
    config.train_dataloader.num_workers = workers
    assert refused(config, message) == 0


@pytest.mark.parametrize('workers', [0, 1])
def test_an_image_that_is_left_out_and_shown_stops_the_training(
    folders: Path, tmp_path: Path, workers: int
) -> None:
    """The first epoch trains on everything, so any image may be shown."""
    config = config_of(folders, tmp_path, 3)
    config.train_dataloader.dataset.type = 'Next'
    config.train_dataloader.num_workers = workers
    paths = instances_of_plain(folders)
    names = '|'.join(Path(paths[i]).name for i in OUT[1])
    steps = refused(config, f'gave .*({names}), which the sampler had not')
    assert 5 <= steps < 10


def instances_of_plain(folders: Path) -> list[str]:
    return InstanceMap(leaf(folders)).paths()


def test_an_endless_order_is_compared_image_by_image(
    folders: Path, tmp_path: Path
) -> None:
    config = in_iterations(config_of(folders, tmp_path, 3), 12)
    config.train_dataloader.sampler.type = 'IESSampler'
    config.train_dataloader.dataset.type = 'Next'
    assert refused(config, 'which the sampler had not asked for') == 0


def test_a_transform_that_exchanges_images_is_refused(
    folders: Path, tmp_path: Path
) -> None:
    config = config_of(folders, tmp_path, 3)
    config.train_dataloader.dataset.pipeline.insert(1, dict(type='Exchange'))
    refused(config, 'in place of .*get_data_info or a transform')


class Shrink(Hook):
    """Shrinks the dataset in the middle, like a curriculum."""

    def before_train_epoch(self, runner: Runner) -> None:
        if runner.epoch == 1:
            runner.train_dataloader.dataset.get_subset_(10)


def test_a_data_set_whose_length_changes_is_refused(
    folders: Path, tmp_path: Path
) -> None:
    def prepare(runner: Runner) -> None:
        runner.register_hook(FixedSelection(OUT))
        runner.register_hook(Shrink())

    message = 'dataset has 10 samples, and had 20 when the training began'
    with pytest.raises(ConfigError, match=message):
        train(config_of(folders, tmp_path, 3), prepare)
    assert len(epochs_of(tmp_path)) == 1


@pytest.mark.parametrize('loop', ['epochs', 'iterations'])
def test_images_that_are_fetched_instead_stop_nothing(
    folders: Path, tmp_path: Path, loop: str
) -> None:
    """Nor are pruned images fetched instead of others."""
    config = config_of(folders, tmp_path, 3)
    if loop == 'iterations':
        config = in_iterations(config, 15)
        config.train_dataloader.sampler.type = 'IESSampler'
    refuse = dict(type='Refuse', images=[0, 1, 4, 5, 6, 8, 9, 10])
    config.train_dataloader.dataset.pipeline.insert(1, refuse)
    train(config, with_hook(FixedSelection(OUT, keep_history=True)))
    trained = instances_of(tmp_path)['trained']
    assert not trained[:, refuse['images']].any()
    # One of them may have been added to fill a batch.
    assert trained[1, OUT[1]].sum() <= 1
    assert trained[0, OUT[1]].any()
    assert len(epochs_of(tmp_path)) == len(trained) >= 2
    assert np.isfinite(instances_of(tmp_path)['losses'][trained]).all()


@pytest.mark.parametrize('kind', CATCHING)
def test_a_data_set_may_take_another_image_for_a_broken_one(
    folders: Path, tmp_path: Path, kind: str
) -> None:
    config = config_of(folders, tmp_path, 1)
    catching(config, kind)
    init_default_scope('mmpretrain')
    dataset = DATASETS.build(config.train_dataloader.dataset)
    instances = InstanceMap(dataset)
    paths = instances.paths()
    with instances.tagging():
        for index in range(len(dataset)):
            sample = dataset[index]['data_samples']
            assert sample.img_path == paths[getattr(sample, TAG)]
            assert getattr(sample, TAG) == index + (index in BROKEN)
            assert hasattr(sample, INSTEAD) == (index in BROKEN)
    assert 'transforms' in vars(dataset.pipeline)


@pytest.mark.parametrize('loop', ['epochs', 'iterations'])
@pytest.mark.parametrize('kind', CATCHING)
def test_it_is_trained(
    folders: Path, tmp_path: Path, loop: str, kind: str
) -> None:
    config = config_of(folders, tmp_path, 3)
    if loop == 'iterations':
        config = in_iterations(config, 15)
        config.train_dataloader.sampler.type = 'IESSampler'
    catching(config, kind)
    out = {epoch: [4, 8] for epoch in OUT}  # These replace the broken ones.
    train(config, with_hook(FixedSelection(out, keep_history=True)))
    trained = instances_of(tmp_path)['trained']
    assert not trained[:, BROKEN].any()
    assert trained[:, [4, 8]].any()
    assert len(trained) >= 3


def twice(samples: list) -> Any:
    return pseudo_collate([*samples, *samples])


def all_but_one(samples: list) -> Any:
    return pseudo_collate(samples[1:])


@pytest.mark.parametrize(
    ('collate', 'message'),
    [
        (twice, 'a batch has 8 samples, and the sampler drew 4'),
        (all_but_one, 'which the sampler had not asked for'),
    ],
)
def test_an_endless_order_knows_how_many_samples_a_batch_has(
    folders: Path, tmp_path: Path, collate: Any, message: str
) -> None:
    config = in_iterations(config_of(folders, tmp_path, 3), 12)
    config.train_dataloader.sampler.type = 'IESSampler'

    def prepare(runner: Runner) -> None:
        runner.register_hook(FixedSelection(OUT))
        runner.train_loop.dataloader.collate_fn = collate

    with pytest.raises(ConfigError, match=message):
        train(config, prepare)
