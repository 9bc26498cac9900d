"""Forward passes over pruned images."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DATA_SAMPLERS, FUNCTIONS
from mmengine.runner import Runner
from mmpretrain.datasets import CustomDataset
from mmpretrain.registry import DATASETS, TRANSFORMS
from torch.utils.data import get_worker_info

from ies_mm.engine import SelectiveBackpropHook
from method_cases import config_of
from runs import (
    FixedSelection,
    epochs_of,
    instances_of,
    plain_config,
    train,
    with_hook,
)
from same_runs import EPOCHS, by_epochs, resumed
from task_runs import with_sampler

OUT = {epoch: [2, 5, 6, 9] for epoch in range(1, 9)}


def still(voc: Path, work_dir: Path, workers: int = 0) -> Config:
    """Fixed weights; flips, random anchors and RoIs."""
    config = with_sampler(plain_config(voc, work_dir, epochs=5))
    config.optim_wrapper.optimizer.lr = 0.0
    config.model.backbone.norm_eval = True
    config.train_dataloader.num_workers = workers
    config.train_dataloader.persistent_workers = False
    return config


def test_an_image_is_augmented_and_sampled_anew_each_time(
    voc: Path, tmp_path: Path
) -> None:
    hook = FixedSelection(OUT, keep_history=True)
    train(still(voc, tmp_path), with_hook(hook))
    losses = instances_of(tmp_path)['losses'][1:, OUT[1]].sum(axis=2)
    assert (losses.std(axis=0) > 2e-4).all()


@TRANSFORMS.register_module()
class NotesDraws:
    """Notes a random number for every image that is loaded."""

    def __init__(self, file: str) -> None:
        self.file = file

    def __call__(self, results: dict) -> dict:
        draws = random.random(), float(np.random.rand()), float(torch.rand(1))
        with Path(self.file).open('a') as file:
            print(results['sample_idx'], *draws, file=file)
        return results


@pytest.mark.parametrize('persistent', [False, True])
def test_workers_draw_anew_in_every_pass_and_alike_when_resumed(
    folders: Path, tmp_path: Path, persistent: bool
) -> None:
    def drawn(name: str, source: Path | None = None) -> list[str]:
        config = by_epochs(folders, tmp_path / name)
        if source:
            config = resumed(config, source, 'epoch_2.pth')
        config.train_dataloader.num_workers = 1
        config.train_dataloader.persistent_workers = persistent
        file = tmp_path / f'{name}.txt'
        note = dict(type='NotesDraws', file=str(file))
        config.train_dataloader.dataset.pipeline.insert(0, note)
        train(config, with_hook(FixedSelection(OUT)))
        return file.read_text().splitlines()

    lines = drawn('whole')
    for image in OUT[1]:
        found = [line.split() for line in lines]
        draws = [row[1:] for row in found if row[0] == str(image)]
        assert len(draws) == EPOCHS
        for library in zip(*draws, strict=True):
            assert len(set(library)) == EPOCHS
    # Persistent workers go on drawing, so that a resumed run draws others.
    if not persistent:
        again = drawn('again', tmp_path / 'whole')
        scored = [
            [line for line in part if line.split()[0] == str(OUT[1][0])]
            for part in (lines, again)
        ]
        assert scored[1] == scored[0][2:]


@DATA_SAMPLERS.register_module()
class InOrder:
    """A batch sampler with only what PyTorch requires."""

    def __init__(self, sampler: Any, batch_size: int) -> None:
        self.sampler = sampler
        self.images = batch_size

    def __iter__(self) -> Iterator[list[int]]:
        order = list(self.sampler)
        for start in range(0, len(order), self.images):
            yield order[start : start + self.images]

    def __len__(self) -> int:
        return -(-len(self.sampler) // self.images)


@pytest.mark.parametrize(
    'hook',
    [
        lambda: FixedSelection(OUT),
        lambda: FixedSelection(OUT, scoring=dict(batch_size=2)),
        lambda: SelectiveBackpropHook(),
    ],
    ids=['IES', 'smaller', 'Selective-Backprop'],
)
def test_a_batch_sampler_need_not_know_its_size(
    folders: Path, tmp_path: Path, hook: Callable[[], Any]
) -> None:
    config = config_of(folders, tmp_path, 4)
    config.train_dataloader.batch_sampler = dict(type='InOrder')
    train(config, with_hook(hook()))
    assert len(epochs_of(tmp_path)) == 4


@DATASETS.register_module()
class NeedsAFile(CustomDataset):
    opened: Any = None

    def prepare_data(self, index: int) -> Any:
        assert self.opened
        return super().prepare_data(index)


@FUNCTIONS.register_module()
def open_file(worker_id: int, **_: Any) -> None:
    """Like opening a database once in every worker."""
    dataset: Any = get_worker_info().dataset
    dataset.opened = len(dataset.metainfo), worker_id


def test_workers_that_score_are_set_up_as_those_that_train(
    folders: Path, tmp_path: Path
) -> None:
    config = config_of(folders, tmp_path, 3)
    config.train_dataloader.dataset.type = 'NeedsAFile'
    config.train_dataloader.num_workers = 1
    config.train_dataloader.worker_init_fn = dict(type='open_file')
    train(config, with_hook(FixedSelection(OUT)))
    assert [record['forward_only'] for record in epochs_of(tmp_path)][2]


@pytest.mark.parametrize(
    ('error', 'advice'),
    [
        (ValueError('no RoI'), ''),
        (
            torch.cuda.OutOfMemoryError('no RoI'),
            '; set a smaller scoring=dict(batch_size=...) in the hook',
        ),
    ],
)
def test_an_error_while_scoring_says_which_batch_it_was(
    folders: Path, tmp_path: Path, error: Exception, advice: str
) -> None:
    def register(runner: Runner) -> None:
        runner.register_hook(FixedSelection({1: [2, 5]}))
        runner.model.register_forward_pre_hook(fail_without_gradients)

    def fail_without_gradients(*_: Any) -> None:
        if not torch.is_grad_enabled():
            raise error

    with pytest.raises(type(error), match='no RoI'):
        train(by_epochs(folders, tmp_path), register)
    [log] = tmp_path.glob('*/*.log')
    images = sorted(map(str, folders.rglob('*.png')))
    said = '2 images could not be scored by a forward pass, from '
    assert f'{said}{images[2]} on{advice}\n' in log.read_text()
