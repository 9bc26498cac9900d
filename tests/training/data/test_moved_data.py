"""An image is identified by its path relative to the data root."""

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmpretrain.datasets import CustomDataset

from ies_mm.engine import IESHook
from ies_mm.errors import ConfigError
from ies_mm.report.names import file_of
from ies_mm.training.data.identity import InstanceMap
from ies_mm.training.data.names import below_root, checksums_of
from method_cases import config_of
from runs import (
    build_dataset,
    dataset_config,
    epochs_of,
    instances_of,
    train,
    with_hook,
)
from task_runs import make_folders, segmentor_config, with_sampler


def log_of(work_dir: Path) -> str:
    return ''.join(path.read_text() for path in work_dir.glob('*/*.log'))


def resumed(config: Config, checkpoint: Path) -> Config:
    config.resume, config.load_from = True, str(checkpoint)
    config.train_cfg.max_epochs = 3
    return config


@pytest.fixture
def images(tmp_path: Path) -> Path:
    return make_folders(tmp_path / 'first' / 'data', 8)


def run(data: Path, work_dir: Path, checkpoint: Path | None = None) -> None:
    config = config_of(data, work_dir, 1)
    if checkpoint:
        resumed(config, checkpoint)
    train(config, with_hook(IESHook(0.1)))


def test_data_that_were_moved_are_the_same(
    images: Path, tmp_path: Path
) -> None:
    run(images, tmp_path / 'run')
    moved = tmp_path / 'elsewhere'
    images.rename(moved)
    run(moved, tmp_path / 'on', tmp_path / 'run' / 'epoch_1.pth')
    assert [r['epoch'] for r in epochs_of(tmp_path / 'on')] == [2, 3]
    with np.load(tmp_path / 'on' / 'ies' / 'instances.npz') as arrays:
        paths = arrays['identity'].tolist()
    assert all(path.startswith(f'{moved}/') for path in paths)


@pytest.mark.parametrize('where', ['root', 'prefix'])
def test_so_are_those_of_a_segmentor(
    maps: Path, tmp_path: Path, where: str
) -> None:
    """Given by ``data_root``, or only by ``data_prefix``."""

    def config(root: Path, work_dir: Path) -> Config:
        made = with_sampler(segmentor_config(root, work_dir))
        dataset = made.train_dataloader.dataset
        if where == 'prefix':
            dataset.pop('data_root')
            dataset.ann_file = str(root / 'train.txt')
            for key, folder in dataset.data_prefix.items():
                dataset.data_prefix[key] = str(root / folder)
        made.train_cfg.max_epochs = 1
        return made

    train(config(maps, tmp_path / 'run'), with_hook(IESHook(0.1)))
    copied = shutil.copytree(maps, tmp_path / 'copied')
    again = resumed(
        config(copied, tmp_path / 'on'), tmp_path / 'run' / 'epoch_1.pth'
    )
    again.train_cfg.max_epochs = 2
    train(again, with_hook(IESHook(0.1)))
    assert [r['epoch'] for r in epochs_of(tmp_path / 'on')] == [2]


def test_other_data_are_refused_with_the_first_image_that_differs(
    images: Path, tmp_path: Path
) -> None:
    run(images, tmp_path / 'run')
    other = shutil.copytree(images, tmp_path / 'other')
    [third] = other.glob('*/002.png')
    third.rename(third.with_name('002_.png'))
    names = sorted(p.relative_to(images) for p in images.glob('*/*'))
    number = 1 + names.index(third.relative_to(other))
    message = (
        rf'8 images, here 8; they differ from number {number} on, here .*002_'
    )
    with pytest.raises(ConfigError, match=message):
        run(other, tmp_path / 'on', tmp_path / 'run' / 'epoch_1.pth')


@pytest.mark.parametrize('less', [True, False])
def test_more_or_fewer_images_are_refused(
    images: Path, tmp_path: Path, less: bool
) -> None:
    run(images, tmp_path / 'run')
    last = max(images.glob('*/*'))
    if less:
        last.unlink()
    else:
        shutil.copy(last, last.with_name('999.png'))
    message = (
        f'8 images, here {7 if less else 9}; they differ from number .*png'
    )
    with pytest.raises(ConfigError, match=message):
        run(images, tmp_path / 'on', tmp_path / 'run' / 'epoch_1.pth')


def test_parts_with_equal_names_are_told_apart(voc: Path) -> None:
    """And so is their order."""
    train, test = dataset_config(voc), dataset_config(voc, 'test')

    def sums(*parts: dict) -> list[int]:
        dataset = dict(
            type='ConcatDataset', datasets=list(parts),
            ignore_keys=['dataset_type'],
        )  # fmt: skip
        return InstanceMap(build_dataset(dataset)).checksums().tolist()

    both, turned, twice = (
        sums(train, test), sums(test, train), sums(train, train)
    )  # fmt: skip
    assert set(both).isdisjoint(turned)
    assert len(set(twice)) == len(twice) == 24


def two_lists(images: Path) -> list[dict]:
    """The same files in two lists with labels of different classes."""
    files = sorted(p.relative_to(images) for p in images.glob('*/*'))
    parts = []
    for name, classes in (('one', 'abc'), ('two', 'xyz')):
        lines = [f'{file} {number % 3}' for number, file in enumerate(files)]
        (images / f'{name}.txt').write_text('\n'.join(lines[:6]))
        parts.append(
            dict(
                type='CustomDataset', data_root=str(images), data_prefix='',
                ann_file=f'{name}.txt', metainfo=dict(classes=[*classes]),
                pipeline=[
                    dict(type='LoadImageFromFile'), dict(type='PackInputs'),
                ],
            )
        )  # fmt: skip
    return parts


def of_parts(
    images: Path, work_dir: Path, *parts: dict, on: Path | None = None
) -> None:
    config = config_of(images, work_dir, 1)
    config.train_dataloader.dataset = dict(
        type='ConcatDataset', datasets=[*parts], ignore_keys=['classes']
    )
    if on:
        resumed(config, on)
    train(config, with_hook(IESHook(0.1, keep_history=True)))


def test_a_file_in_two_parts_is_two_images(
    images: Path, tmp_path: Path
) -> None:
    """Records distinguish them; swapped parts are refused."""
    one, two = two_lists(images)
    of_parts(images, tmp_path / 'run', one, two)
    identity = instances_of(tmp_path / 'run')['identity'].tolist()
    assert len(set(identity)) == len(identity) == 12
    assert [name[-9:] for name in identity] == [' [part 1]'] * 6 + [
        ' [part 2]'
    ] * 6
    assert {file_of(name).exists() for name in identity} == {True}
    checkpoint = tmp_path / 'run' / 'epoch_1.pth'
    with pytest.raises(ConfigError, match=r'another dataset .* \[part 1\]'):
        of_parts(images, tmp_path / 'on', two, one, on=checkpoint)
    # Nor are lists where only the labels were exchanged.
    first, second = (
        one | dict(ann_file='two.txt'),
        two | dict(ann_file='one.txt'),
    )
    with pytest.raises(ConfigError, match='another dataset'):
        of_parts(images, tmp_path / 'on', first, second, on=checkpoint)
    moved = images.parent / 'moved'
    images.rename(moved)
    parts = [part | dict(data_root=str(moved)) for part in (one, two)]
    of_parts(moved, tmp_path / 'on', *parts, on=checkpoint)
    assert [r['epoch'] for r in epochs_of(tmp_path / 'on')] == [2, 3]


def test_a_checkpoint_that_did_not_tell_parts_apart_is_gone_on_with(
    images: Path, tmp_path: Path
) -> None:
    parts = two_lists(images)
    of_parts(images, tmp_path / 'run', *parts)
    checkpoint = tmp_path / 'run' / 'epoch_1.pth'
    loaded = torch.load(checkpoint, weights_only=False)
    leaf = CustomDataset(str(images), lazy_init=True)
    with np.load(tmp_path / 'run' / 'ies' / 'instances.npz') as arrays:
        paths = [str(file_of(name)) for name in arrays['identity']]
    loaded['ies']['images'] = checksums_of(
        [(leaf, paths[:6]), (leaf, paths[6:])], tell_apart=False
    )
    for key in ('length', 'batch_samples'):
        del loaded['ies'][key]
    torch.save(loaded, checkpoint)
    of_parts(images, tmp_path / 'run', *parts, on=checkpoint)
    assert [r['epoch'] for r in epochs_of(tmp_path / 'run')] == [1, 2, 3]


@pytest.mark.parametrize(
    ('root', 'prefix', 'path', 'below'),
    [
        ('data', {}, 'data/a/1.png', 'a/1.png'),
        ('data/', {}, 'data/a/1.png', 'a/1.png'),
        ('data', {}, 'data2/a/1.png', 'data2/a/1.png'),
        ('', dict(img='x/y'), 'x/y/1.png', '1.png'),
        (None, dict(img_path=''), 'x/y/1.png', 'x/y/1.png'),
        ('s3://b/c', dict(img='s3://b/c/d'), 's3://b/c/d/1.png', 'd/1.png'),
        ('data', dict(img='data/a'), '/abs/1.png', '/abs/1.png'),
    ],
)
def test_the_path_below_the_root(
    root: Any, prefix: dict, path: str, below: str
) -> None:
    class Leaf:
        data_root = root
        data_prefix = prefix

    assert below_root(Leaf(), path) == below  # type: ignore[arg-type]


def test_a_file_name_need_not_be_text(images: Path, tmp_path: Path) -> None:
    """Training, records, a warning with the name, and resuming work."""
    first = min(images.glob('*/*'))
    odd = os.fsencode(first.parent) + b'/\xff\xe9.png'
    first.rename(os.fsdecode(odd))
    config = config_of(images, tmp_path / 'run', 1)
    soft = dict(type='SoftLabel', classes=3, value=float('nan'))
    dataset = CustomDataset(data_root=str(images), pipeline=[])
    numbers = [os.fsencode(dataset[i]['img_path']) for i in range(8)]
    soft['image'] = numbers.index(odd)
    config.model.head.loss.use_soft = True
    config.train_dataloader.dataset.pipeline.insert(1, soft)
    train(config, with_hook(IESHook(0.1)))
    with np.load(tmp_path / 'run' / 'ies' / 'instances.npz') as arrays:
        assert [os.fsencode(str(p)) for p in arrays['identity']] == numbers
    assert r'\udcff\udce9.png' in log_of(tmp_path / 'run')
    resumed(config, tmp_path / 'run' / 'epoch_1.pth')
    train(config, with_hook(IESHook(0.1)))
    assert [r['epoch'] for r in epochs_of(tmp_path / 'run')] == [1, 2, 3]


def test_a_file_listed_twice_is_two_images(
    images: Path, tmp_path: Path
) -> None:
    one, _ = two_lists(images)
    path = images / 'one.txt'
    lines = path.read_text().splitlines()
    path.write_text('\n'.join([*lines, lines[0]]))
    of_parts(images, tmp_path / 'twice', one)
    identity = instances_of(tmp_path / 'twice')['identity'].tolist()
    assert identity[-1] == f'{identity[0]} [copy 2]'
    assert len({*identity}) == 7
    assert file_of(identity[-1]) == Path(identity[0])
