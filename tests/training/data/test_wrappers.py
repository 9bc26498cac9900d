"""Dataset wrappers: which image each of their positions shows."""

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import mmdet.datasets
import mmseg.datasets
import numpy as np
import pytest
import torch.utils.data
from mmengine.config import Config
from mmengine.dataset import (
    BaseDataset,
    Compose,
    ConcatDataset,
    RepeatDataset,
)
from mmengine.registry import init_default_scope
from mmengine.runner.runner import _SlicedDataset
from mmpretrain.datasets import CustomDataset

from ies_mm.engine import register_wrapper
from ies_mm.errors import ConfigError
from ies_mm.training.data import positions
from ies_mm.training.data.identity import InstanceMap
from ies_mm.training.data.mixing_transforms import (
    mixes,
    own_transforms,
    transforms_of,
)
from ies_mm.training.data.tagging import TAG
from ies_mm.training.scoring.pipeline import scoring_pipelines
from method_cases import config_of
from runs import FixedSelection, epochs_of, instances_of, train, with_hook
from same_runs import assert_equal
from task_runs import classifier_config, with_sampler

OUT = {1: [2, 3, 7, 9], 2: [2, 3, 7, 9]}


class Evens:
    """Shows every other image and packs it itself."""

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset
        self.pipeline = Compose([dict(type='PackInputs')])

    def __len__(self) -> int:
        return len(self.dataset) // 2

    def __getitem__(self, index: int) -> Any:
        return self.pipeline(self.dataset[2 * index])


class Odd(Evens):
    """Shows images differently from its base class."""

    def __getitem__(self, index: int) -> Any:
        return self.pipeline(self.dataset[2 * index + 1])


@pytest.fixture
def evens() -> Iterator[None]:
    register_wrapper(
        Evens, lambda evens: [(evens.dataset, range(0, len(evens) * 2, 2))]
    )
    yield
    del positions._WRAPPERS[f'{__name__}.Evens']


def leaf(folders: Path) -> Any:
    init_default_scope('mmpretrain')
    pipeline = [dict(type='LoadImageFromFile'), dict(type='PackInputs')]
    return CustomDataset(data_root=str(folders), pipeline=pipeline)


def unpacked(folders: Path) -> Any:
    """A config whose samples are packed by a wrapper."""
    dataset = leaf(folders)
    dataset.pipeline.transforms.pop()
    return dataset


def mixed(wrapper: Any, dataset: Any, *before: dict, **changes: Any) -> Any:
    pack = dict(type='mmpretrain.PackInputs')
    return wrapper(dataset=dataset, pipeline=[*before, pack], **changes)


KNOWN: dict[str, Callable[[Path], Any]] = {
    'mixes nothing': lambda folders: mixed(
        mmdet.datasets.MultiImageMixDataset, unpacked(folders)
    ),
    'mixes nothing of parts': lambda folders: mixed(
        mmseg.datasets.MultiImageMixDataset,
        ConcatDataset([unpacked(folders), unpacked(folders)]),
    ),
    'first ones': lambda folders: _SlicedDataset(
        ConcatDataset([leaf(folders), leaf(folders)]), 24
    ),
    'first ones of repeats': lambda folders: _SlicedDataset(
        RepeatDataset(leaf(folders), 3), 12
    ),
}


@pytest.mark.parametrize('name', KNOWN)
def test_every_sample_is_the_image_of_its_position(
    folders: Path, name: str
) -> None:
    dataset = KNOWN[name](folders)
    instances = InstanceMap(dataset)
    check_samples(dataset, instances)
    assert set(instances.of_position.tolist()) == set(range(len(instances)))
    sample = dataset[0]
    assert 'ies' not in str(sample['data_samples'].metainfo_keys())


def check_samples(dataset: Any, instances: InstanceMap) -> None:
    with instances.tagging():
        for position in [*range(len(dataset)), 3, 5]:
            sample = dataset[position]['data_samples']
            number = getattr(sample, TAG)
            assert sample.img_path == instances.paths()[number]
            assert number == instances.of_position[position]


@pytest.mark.parametrize('part', [False, True])
def test_a_wrapper_of_ones_own_can_be_registered(
    folders: Path, evens: None, part: bool
) -> None:
    dataset = Evens(unpacked(folders))
    if part:
        dataset = torch.utils.data.ConcatDataset([leaf(folders), dataset])
    instances = InstanceMap(dataset)
    paths = instances.paths()
    images = InstanceMap(leaf(folders)).paths()
    assert paths == [*(images if part else []), *images[::2]]
    check_samples(dataset, instances)
    with pytest.raises(ConfigError, match='Odd overrides __getitem__'):
        InstanceMap(Odd(leaf(folders)))


def test_every_wrapper_of_the_libraries_is_known() -> None:
    """Every dataset class with items and a length that is not a leaf."""
    no_wrappers = {
        # It reads several tasks' labels of an image by itself.
        'mmpretrain.datasets.multi_task.MultiTaskDataset'
    }
    found = {
        cls
        for package in LIBRARIES
        for module in modules_of(package)
        for cls in vars(module).values()
        if is_wrapper(cls) and cls.__module__.startswith(package)
    }
    unknown = {
        f'{cls.__module__}.{cls.__qualname__}'
        for cls in found
        if not any(positions._name(c) in positions._WRAPPERS
                   for c in cls.__mro__)
    }  # fmt: skip
    assert unknown == no_wrappers
    assert {cls.__name__ for cls in found} >= {
        'ConcatDataset', 'RepeatDataset', 'ClassBalancedDataset',
        'MultiImageMixDataset', 'KFoldDataset', '_SlicedDataset',
    }  # fmt: skip


LIBRARIES = ('mmengine.dataset', 'mmengine.runner', 'mmdet.datasets',
             'mmseg.datasets', 'mmpretrain.datasets')  # fmt: skip


def modules_of(package: str) -> Iterator[Any]:
    folder = importlib.import_module(package).__path__
    for module in pkgutil.walk_packages(folder, package + '.'):
        with suppress(ImportError):  # One of mmdet's requires another package.
            yield importlib.import_module(module.name)


def is_wrapper(cls: Any) -> bool:
    return (
        inspect.isclass(cls)
        and 'Dataset' in cls.__name__
        and hasattr(cls, '__getitem__')
        and not issubclass(cls, BaseDataset)
    )


def test_transforms_that_are_skipped_do_not_mix(folders: Path) -> None:
    mosaic = dict(type='mmdet.Mosaic')
    wrapper = mmdet.datasets.MultiImageMixDataset
    skipped = mixed(
        wrapper, unpacked(folders), mosaic, skip_type_keys=['mmdet.Mosaic']
    )
    assert not mixing(skipped)
    instances = InstanceMap(skipped)
    with instances.tagging():
        sample = skipped[3]['data_samples']
    assert sample.img_path == instances.paths()[getattr(sample, TAG)]
    assert type(skipped.pipeline[0]).__name__ == 'Mosaic'
    found = mixing(mixed(wrapper, unpacked(folders), mosaic))
    assert found == ['train_dataloader.dataset.pipeline[0] (Mosaic)']


class Half:
    """Keeps its dataset in an attribute of any name."""

    def __init__(self, images: Any) -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images) // 2

    def __getitem__(self, index: int) -> Any:
        return self.images[index]


@pytest.mark.parametrize(
    'wrap',
    [
        Half,
        lambda dataset: _SlicedDataset(dataset, 12),
        lambda dataset: _SlicedDataset(RepeatDataset(dataset, 2), 12),
        lambda dataset: torch.utils.data.ConcatDataset([Half(dataset)]),
    ],
)
def test_transforms_inside_wrappers_are_found_once(
    folders: Path, monkeypatch: pytest.MonkeyPatch, wrap: Callable
) -> None:
    """Missed, a mosaic counts as one image; doubled, none can be scored."""
    name = f'{__name__}.Half'
    monkeypatch.setitem(
        positions._WRAPPERS, name, lambda w: [(w.images, range(len(w)))]
    )
    dataset = leaf(folders)
    transforms = dataset.pipeline.transforms
    assert [t for _, t in transforms_of(wrap(dataset))] == transforms
    assert [t for _, t in own_transforms(wrap(dataset))] == transforms
    [scored] = scoring_pipelines(wrap(dataset))
    assert [*map(type, scored.transforms)] == [*map(type, transforms)]


def mixing(dataset: Any) -> list[str]:
    return [key for key, found in transforms_of(dataset) if mixes(found)]


def short(config: Config, wrapper: str | None) -> Config:
    """Epochs of three batches, over the dataset or a wrapper of it."""
    loader = config.train_dataloader
    loader.num_batch_per_epoch = 3
    if wrapper == 'ConcatDataset':
        loader.dataset = dict(type=wrapper, datasets=[loader.dataset] * 2)
    elif wrapper is not None:
        loader.dataset = dict(type=wrapper, dataset=loader.dataset, times=3)
    return config


@pytest.mark.parametrize('wrapper', [None, 'ConcatDataset', 'RepeatDataset'])
def test_epochs_of_so_many_batches(
    folders: Path, tmp_path: Path, wrapper: str | None
) -> None:
    """The plain run, and pruning among the images that it shows."""
    kept = []
    for out in (None, {}, OUT):
        place = tmp_path / str(out)
        config = short(classifier_config(folders, place), wrapper)
        config.train_cfg.max_epochs = 3
        with_ies = out is not None
        if with_ies:
            with_sampler(config)
            hook = FixedSelection(out, keep_history=True)
        runner = train(config, with_hook(hook) if with_ies else None)
        kept.append(runner.model.state_dict())
    assert_equal(kept[1], kept[0])
    records = epochs_of(place)
    assert [r['instances'] for r in records] == [12] * 3
    assert [r['trained'] for r in records] == [12, 8, 8]
    recorded = instances_of(place)
    assert [*recorded['identity']] == InstanceMap(leaf(folders)).paths()[:12]
    assert np.isfinite(recorded['losses']).all()


def test_more_batches_than_there_are(folders: Path, tmp_path: Path) -> None:
    config = config_of(folders, tmp_path, 3)
    config.train_dataloader.num_batch_per_epoch = 6
    message = 'num_batch_per_epoch asks for 24 images .* shows 20; lower it'
    refused(config, message)


def test_an_image_from_beyond_is_refused(
    folders: Path, tmp_path: Path
) -> None:
    """One that no position shows, in place of another."""
    config = short(config_of(folders, tmp_path, 3), None)
    refuse = dict(type='Refuse', images=list(range(12)))
    config.train_dataloader.dataset.pipeline.insert(1, refuse)
    refused(config, 'is none of those that the dataset shows at its pos')


def refused(config: Config, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        train(config, with_hook(FixedSelection(OUT)))
