"""Trainings whose losses all come from scoring passes (Alg. 1, line 3)."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.dataset import pseudo_collate
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpretrain.registry import DATASETS

from ies_mm.engine import (
    BatchLossScoreHook,
    IESHook,
    InfoBatchHook,
    SelectiveBackpropHook,
)
from ies_mm.training.hook.selection_hook import SelectionHook
from iteration_runs import IMAGES
from runs import (
    FixedSelection,
    epochs_of,
    instances_of,
    parameters,
    train,
    with_hook,
)
from same_runs import assert_equal
from task_runs import classifier_config, with_sampler

OUT = {1: [0, 3, 5, 6], 2: [1, 2, 3, 4], 3: []}


class InEvaluationMode(Hook):
    """Each image's cross-entropy after each epoch, by a plain loop."""

    priority = 'LOWEST'

    def __init__(self) -> None:
        self.losses: list[list[float]] = []

    def after_train_epoch(self, runner: Runner) -> None:
        config = runner.cfg.train_dataloader.dataset.copy()
        config.pipeline = [t for t in config.pipeline if 'Flip' not in t.type]
        model = runner.model.eval()
        self.losses.append([])
        for image in DATASETS.build(config):
            data = model.data_preprocessor(pseudo_collate([image]))
            with torch.no_grad():
                [loss] = model(**data, mode='loss').values()
            self.losses[-1].append(float(loss))
        model.train()


def scored_config(folders: Path, work_dir: Path, epochs: int) -> Any:
    config = with_sampler(classifier_config(folders, work_dir))
    config.train_cfg.max_epochs = epochs
    return config


def test_off_is_the_plain_run(folders: Path, tmp_path: Path) -> None:
    plain = classifier_config(folders, tmp_path / 'plain')
    expected = parameters(train(plain))
    config = scored_config(folders, tmp_path / 'ies', 2)
    hook = IESHook(delta=0, observe='scoring')
    found = parameters(train(config, with_hook(hook)))
    assert_equal(found, expected)
    scored = [r['forward_only'] for r in epochs_of(tmp_path / 'ies')]
    assert scored == [IMAGES, 0]


@pytest.mark.parametrize('interval', [1, 2])
def test_pruned_or_not_all_are_scored_under_the_same_weights(
    folders: Path, tmp_path: Path, interval: int
) -> None:
    config = scored_config(folders, tmp_path, 5)
    watch = InEvaluationMode()
    hook = FixedSelection(
        OUT,
        keep_history=True,
        observe='scoring',
        scoring=dict(interval=interval),
    )

    def register(runner: Runner) -> None:
        runner.register_hook(hook)
        runner.register_hook(watch)

    train(config, register)
    losses = instances_of(tmp_path)['losses'][:, :, 0]
    scored = [e for e in range(4) if (e + 1) % interval == 0]
    expected = np.full((5, IMAGES), np.nan)
    expected[scored] = np.array(watch.losses)[scored]
    np.testing.assert_allclose(losses, expected, rtol=1e-5)
    records = epochs_of(tmp_path)
    assert [r['excluded'] for r in records][:3] == [0, 4, 4]
    assert [r['forward_only'] for r in records] == [
        IMAGES * (epoch in scored) for epoch in range(5)
    ]


def test_the_criterion_is_that_of_the_scored_losses(
    folders: Path, tmp_path: Path
) -> None:
    """With the losses at every second epoch, by a plain loop."""
    config = scored_config(folders, tmp_path, 20)
    config.optim_wrapper.optimizer.lr = 0.01
    hook = IESHook(
        delta=0.05,
        keep_history=True,
        observe='scoring',
        scoring=dict(interval=2),
    )
    train(config, with_hook(hook))
    arrays, records = instances_of(tmp_path), epochs_of(tmp_path)
    scores, pruned = arrays['losses'][1:-1:2, :, 0], np.zeros(IMAGES, bool)
    for epoch, record in enumerate(records):
        trained = arrays['trained'][epoch]
        assert trained[~pruned].all()
        assert (trained & pruned).sum() <= 1  # no batch of a single image
        known = scores[: (epoch + 1) // 2]
        if len(known) >= 6:
            moves = np.abs(np.diff(known[-5:], n=2, axis=0))
            pruned = moves.mean(axis=0) < 0.05
        assert record['mastered'] == pruned.sum()
    assert any(0 < record['mastered'] < IMAGES for record in records)


@pytest.mark.parametrize(
    'hook',
    [
        InfoBatchHook(observe='scoring', keep_history=True),
        SelectiveBackpropHook(observe='scoring', keep_history=True),
    ],
    ids=['weighted', 'chosen in each batch'],
)
def test_methods_that_work_in_the_steps_train_too(
    folders: Path, tmp_path: Path, hook: SelectionHook
) -> None:
    config = scored_config(folders, tmp_path, 3)
    plain = classifier_config(folders, tmp_path / 'plain')
    plain.train_cfg.max_epochs = 3
    unpruned = parameters(train(plain))
    found = parameters(train(config, with_hook(hook)))
    arrays = instances_of(tmp_path)
    assert np.isfinite(arrays['losses'][:2]).all()
    assert not arrays['trained'][1:].all()
    assert any(not torch.equal(unpruned[k], found[k]) for k in found)


def test_batch_losses_do_not_come_from_scoring() -> None:
    with pytest.raises(ValueError, match="observe='scoring': this method"):
        BatchLossScoreHook(observe='scoring')


def test_a_switched_pipeline_is_scored_by_its_own(
    folders: Path, tmp_path: Path
) -> None:
    config = scored_config(folders, tmp_path, 3)
    load, _, pack = config.train_dataloader.dataset.pipeline
    small = [load, dict(type='Resize', scale=8), pack]

    class Switch(Hook):
        def before_train_epoch(self, runner: Runner) -> None:
            if runner.epoch == 1:
                dataset = runner.train_dataloader.dataset
                dataset.pipeline = type(dataset.pipeline)(small)
                runner.cfg.train_dataloader.dataset.pipeline = small

    watch = InEvaluationMode()
    hook = FixedSelection({}, keep_history=True, observe='scoring')

    def register(runner: Runner) -> None:
        for each in (Switch(), hook, watch):
            runner.register_hook(each)

    train(config, register)
    losses = instances_of(tmp_path)['losses'][:2, :, 0]
    np.testing.assert_allclose(losses, watch.losses[:2], rtol=1e-5)
