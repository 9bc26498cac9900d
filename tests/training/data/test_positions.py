"""Data sets that show other images than their positions say."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.dataset import ConcatDataset, RepeatDataset, pseudo_collate
from mmengine.hooks import Hook
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mmpretrain.datasets import CustomDataset, KFoldDataset
from mmpretrain.registry import DATASETS, TRANSFORMS
from torch.utils.data import Subset

from ies_mm.errors import ConfigError
from ies_mm.training.data.identity import InstanceMap
from ies_mm.training.data.tagging import INSTEAD, TAG
from method_cases import config_of
from runs import FixedSelection, epochs_of, instances_of, train, with_hook
from task_runs import in_iterations

OUT = {1: [2, 3, 7], 2: [2, 3, 7]}


@DATASETS.register_module()
class Shifted(CustomDataset):
    """Shows the next image."""

    def __getitem__(self, index: int) -> Any:
        return super().__getitem__((index + 1) % len(self))


@DATASETS.register_module()
class Endless(CustomDataset):
    """Says that it is longer than it is."""

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
    """Loads its image in its own way, and the right one."""

    def prepare_data(self, index: int) -> Any:
        info = self.get_data_info(index)
        return self.pipeline(copy.deepcopy(info))


@DATASETS.register_module()
class Caching(CustomDataset):
    """Loads an image once, and the next one at that."""

    def prepare_data(self, index: int) -> Any:
        self.kept: dict[int, Any] = getattr(self, 'kept', {})
        if index not in self.kept:
            other = (index + 1) % len(self)
            self.kept[index] = super().prepare_data(other)
        return copy.deepcopy(self.kept[index])


@DATASETS.register_module()
class PastInfo(CustomDataset):
    """Loads an image that is in its list."""

    def prepare_data(self, index: int) -> Any:
        return self.pipeline(copy.deepcopy(self.data_list[index]))


@DATASETS.register_module()
class Two(CustomDataset):
    """Looks at two images for a sample."""

    def prepare_data(self, index: int) -> Any:
        self.get_data_info((index + 1) % len(self))
        return super().prepare_data(index)


@DATASETS.register_module()
class Moving(CustomDataset):
    """An index shows another image each time."""

    asked = 0

    def get_data_info(self, index: int) -> Any:
        self.asked += 1
        return super().get_data_info((index + self.asked // 20) % len(self))


@DATASETS.register_module()
class Interleaved:
    """Parts in turns, not one after the other."""

    def __init__(self, datasets: list[dict]) -> None:
        self.datasets = [DATASETS.build(dataset) for dataset in datasets]
        self.metainfo = self.datasets[0].metainfo

    def __len__(self) -> int:
        return sum(map(len, self.datasets))

    def __getitem__(self, index: int) -> Any:
        return self.datasets[index % 2][index // 2]


class Backwards(RepeatDataset):
    """Maps in its own way."""

    def _get_ori_dataset_idx(self, idx: int) -> int:
        return self._ori_len - 1 - super()._get_ori_dataset_idx(idx)


class Elsewhere(RepeatDataset):
    """Shows other images than it maps to."""

    def __getitem__(self, idx: int) -> Any:
        return super().__getitem__(idx + 1)


class Short(ConcatDataset):
    """Shows less than its parts have."""

    def __len__(self) -> int:
        return super().__len__() - 2


class Named(ConcatDataset):
    """Adds what does not concern the images."""

    def name(self) -> str:
        return 'named'


class OwnWrapper:
    """A wrapper that nobody knows, and that seems to say what it shows."""

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
    """Shows the image before in the place of one of them."""

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
    """Two images cannot be read."""

    def __call__(self, results: dict) -> dict:
        if results['sample_idx'] in BROKEN:
            raise OSError
        return results


@DATASETS.register_module()
class AsksItself(CustomDataset):
    """Catches what is broken, and asks for the next image."""

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
    """The object has a method that its class has not."""
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
    """Counts what was trained."""

    priority = 'LOWEST'
    made = 0

    def after_train_iter(self, *_: Any, **__: Any) -> None:
        self.made += 1


def refused(config: Config, message: str) -> int:
    """Refused with a message; after so many steps."""
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
        ('Moving', 'in the place of .*get_data_info or a transform'),
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
    """The first epoch trains everything, whichever image it shows where."""
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
    refused(config, 'in the place of .*get_data_info or a transform')


class Shrink(Hook):
    """Goes on with a part of the data, as a curriculum does."""

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
    """Those left out come in the place of others, and are trained."""
    config = config_of(folders, tmp_path, 3)
    if loop == 'iterations':
        config = in_iterations(config, 15)
        config.train_dataloader.sampler.type = 'IESSampler'
    refuse = dict(type='Refuse', images=[0, 1, 4, 5, 6, 8, 9, 10])
    config.train_dataloader.dataset.pipeline.insert(1, refuse)
    train(config, with_hook(FixedSelection(OUT, keep_history=True)))
    trained = instances_of(tmp_path)['trained']
    assert not trained[:, refuse['images']].any()
    assert trained[1:, OUT[1]].any()
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
    out = {epoch: [4, 8] for epoch in OUT}  # Which come for the broken ones.
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
