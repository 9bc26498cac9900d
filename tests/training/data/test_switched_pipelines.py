"""Hooks that switch the pipeline in the middle of a training."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mmdet.engine.hooks import PipelineSwitchHook
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpretrain.registry import TRANSFORMS
from torch import nn

from ies_mm.engine import (
    DIHCLHook,
    IESHook,
    InfoBatchHook,
    SelectiveBackpropHook,
)
from ies_mm.errors import ConfigError
from ies_mm.training.data.pipeline_switches import losses_by_attribute
from runs import epochs_of, instances_of, train, with_hook
from same_runs import EPOCHS, assert_same_run, by_epochs, resumed

SWITCH = 2
"""Epochs before the switch."""
DELTA = 0.018
BRIGHT = dict(type='Normalize', mean=[0.0] * 3, std=[0.05] * 3, to_rgb=False)
MIXING = dict(type='mmdet.CachedMosaic', img_scale=(16, 16))


def switching(folders: Path, work_dir: Path, workers: int = 0) -> Config:
    config = by_epochs(folders, work_dir)
    config.log_level = 'INFO'
    config.train_dataloader.num_workers = workers
    config.train_dataloader.persistent_workers = workers > 0
    return config


def five_times(config: Config) -> Config:
    """The loss times five, from the switch on."""
    loss = dict(type='CrossEntropyLoss', loss_weight=5.0)
    recipe = dict(action_epoch=SWITCH + 1, loss=loss)
    config.custom_hooks = [dict(type='SwitchRecipeHook', schedule=[recipe])]
    return config


def pipeline_of(config: Config, extra: dict) -> list[dict]:
    first, *rest = config.train_dataloader.dataset.pipeline
    return [first, extra, *rest]


def run(config: Config, extra: dict = BRIGHT) -> str:
    def register(runner: Runner) -> None:
        hook = IESHook(DELTA, order=1, window=2, keep_history=True)
        runner.register_hook(hook)
        runner.register_hook(
            PipelineSwitchHook(SWITCH, pipeline_of(config, extra))
        )

    train(config, register)
    logs = Path(config.work_dir).glob('*/*.log')
    return ''.join(path.read_text() for path in logs)


def literal(losses: np.ndarray) -> list[int]:
    """The number mastered after each epoch, by a plain loop."""
    counts = []
    for last in range(len(losses)):
        mastered = 0
        for image in range(losses.shape[1]):
            curve = [float(x) for x in losses[: last + 1, image, 0]]
            steps = [b - a for a, b in pairwise(curve)]
            if last >= SWITCH:
                steps[SWITCH - 1] = 0.0
            flat = len(curve) >= 4 and np.mean(np.abs(steps[-2:])) < DELTA
            mastered += flat
        counts.append(mastered)
    return counts


@pytest.mark.parametrize('workers', [0, 1])
def test_the_jump_judges_nobody_and_is_said_once(
    folders: Path, tmp_path: Path, workers: int
) -> None:
    config = switching(folders, tmp_path, workers)
    log = run(config)
    assert log.count(f'the pipeline was switched in epoch {SWITCH + 1}') == 1
    losses = instances_of(tmp_path)['losses']
    jumps = np.abs(losses[SWITCH] - losses[SWITCH - 1])
    assert np.median(jumps) > DELTA  # no image would be flat across it
    mastered = [record['mastered'] for record in epochs_of(tmp_path)]
    assert mastered == literal(losses)
    assert mastered[SWITCH + 1] > 0


@pytest.mark.parametrize('after', [0, 1, 3])
def test_a_loss_that_is_switched(
    folders: Path, tmp_path: Path, after: int
) -> None:
    """Like mmpretrain's own hook; also resumed before and after it."""

    def run(config: Config) -> str:
        hook = IESHook(DELTA, order=1, window=2, keep_history=True)
        train(five_times(config), with_hook(hook))
        logs = Path(config.work_dir).glob('*/*.log')
        return ''.join(path.read_text() for path in logs)

    whole, again = tmp_path / 'whole', tmp_path / 'again'
    log = run(switching(folders, whole))
    losses = instances_of(whole)['losses']
    if after:
        config = resumed(
            switching(folders, again), whole, f'epoch_{after}.pth'
        )
        for path in again.glob('*/*.log'):
            path.unlink()
        log = run(config)
        assert_same_run(again, whole, f'epoch_{EPOCHS}.pth')
    said = f'the loss head.loss_module was switched in epoch {SWITCH + 1}: '
    assert log.count(said) == (after <= SWITCH)
    mastered = [record['mastered'] for record in epochs_of(whole)]
    assert mastered == literal(losses)


def test_infobatch_trains_what_it_knows_from_before(
    folders: Path, tmp_path: Path
) -> None:
    """Next to losses five times as large, old ones look well learned."""
    config = five_times(switching(folders, tmp_path))
    hook = InfoBatchHook(ratio=0.9, anneal=0.0, keep_history=True)
    train(config, with_hook(hook))
    trained = instances_of(tmp_path)['trained']
    out = ~trained[SWITCH]
    assert out.any()
    assert trained[SWITCH + 1][out].all()
    assert not trained[SWITCH + 1].all()


def test_dihcl_knows_no_hardness_from_before(
    folders: Path, tmp_path: Path
) -> None:
    """Next to losses five times as large, old ones look easy."""
    config = five_times(switching(folders, tmp_path))
    config.train_cfg.max_epochs = SWITCH + 1
    hook = DIHCLHook(warmup=1, start=0.6, factor=1.0, end=0.6)
    hook.keep_history = True
    train(config, with_hook(hook))
    arrays = instances_of(tmp_path)
    shown = arrays['trained'][SWITCH]
    assert 0 < shown.sum() < 20
    running = hook.method.running.numpy()
    assert np.isnan(running[~shown]).all()
    losses = arrays['losses'][SWITCH, shown, 0].astype(float)
    # All are divided by one learning rate and not mixed with older ones.
    rates = losses / running[shown]
    np.testing.assert_allclose(rates, rates[0], rtol=1e-6)


def test_selective_backprop_compares_with_no_loss_from_before(
    folders: Path, tmp_path: Path
) -> None:
    config = five_times(switching(folders, tmp_path))
    config.train_cfg.max_epochs = SWITCH + 1
    hook = SelectiveBackpropHook(keep_history=True)
    train(config, with_hook(hook))
    recent = hook.method.state_dict()['recent'].numpy()
    since = instances_of(tmp_path)['losses'][SWITCH, :, 0]
    assert sorted(recent) == sorted(since)


class EveryEpoch(Hook):
    """A growing augmentation, as in progressive learning."""

    priority = 'VERY_HIGH'

    def before_train_epoch(self, runner: Runner) -> None:
        dataset = runner.train_dataloader.dataset
        first, *rest = dataset.pipeline.transforms
        std = [1 / (runner.epoch + 1)] * 3
        grown = TRANSFORMS.build(BRIGHT | dict(std=std))
        dataset.pipeline = Compose([first, grown, rest[-1]])


@pytest.mark.parametrize('resume', [False, True])
def test_switched_in_every_epoch_nobody_looks_flat(
    folders: Path, tmp_path: Path, resume: bool
) -> None:
    """With every jump excluded, no difference would remain."""
    work_dir = tmp_path / 'whole'
    config = switching(folders, work_dir)

    def register(runner: Runner) -> None:
        runner.register_hook(IESHook(1e-6, order=1, window=1))
        runner.register_hook(EveryEpoch())

    train(config, register)
    if resume:
        work_dir = tmp_path / 'again'
        whole = tmp_path / 'whole'
        train(
            resumed(switching(folders, work_dir), whole, 'epoch_3.pth'),
            register,
        )
    records = epochs_of(work_dir)
    assert records[-1]['epoch'] == EPOCHS
    assert records[-1]['excluded'] == 0
    log = ''.join(path.read_text() for path in work_dir.glob('*/*.log'))
    found = log.count('epoch 5 again, soon after the last time: the losses ')
    assert found == 1 + resume  # the first log is copied


@pytest.mark.parametrize('after', [1, 3])
def test_resumed_before_and_after_the_switch(
    folders: Path, tmp_path: Path, after: int
) -> None:
    whole, again = tmp_path / 'whole', tmp_path / 'again'
    run(switching(folders, whole))
    config = resumed(switching(folders, again), whole, f'epoch_{after}.pth')
    for log in again.glob('*/*.log'):
        log.unlink()
    log = run(config)
    assert log.count('the pipeline was switched') == (after <= SWITCH)
    assert_same_run(again, whole, f'epoch_{EPOCHS}.pth')


@TRANSFORMS.register_module()
class KeepsItsDraw:
    """As mmdet's MinIoURandomCrop keeps its mode."""

    def __init__(self, strength: float = 1.0) -> None:
        self.strength = strength

    def __call__(self, results: dict) -> dict:
        self.mode = float(np.random.rand())
        return results


@pytest.mark.parametrize('after', [1, 3])
def test_a_transform_that_keeps_its_draw_was_not_switched(
    folders: Path, tmp_path: Path, after: int
) -> None:
    def switched(work_dir: Path, source: Path | None = None) -> int:
        config = switching(folders, work_dir)
        config.train_dataloader.dataset.pipeline = pipeline_of(
            config, dict(type='KeepsItsDraw')
        )
        if source:
            config = resumed(config, source, f'epoch_{after}.pth')
            for log in work_dir.glob('*/*.log'):
                log.unlink()
        log = run(config, dict(type='KeepsItsDraw', strength=2.0))
        return log.count('the pipeline was switched')

    assert switched(tmp_path / 'whole') == 1
    assert switched(tmp_path / 'again', tmp_path / 'whole') == (
        after <= SWITCH
    )


def test_a_pipeline_that_mixes_is_refused_when_it_comes(
    folders: Path, tmp_path: Path
) -> None:
    config = switching(folders, tmp_path)

    def register(runner: Runner) -> None:
        runner.register_hook(InfoBatchHook())
        switched = pipeline_of(config, MIXING)
        runner.register_hook(PipelineSwitchHook(SWITCH, switched))

    with pytest.raises(ConfigError, match=r'pipeline\[1\] \(CachedMosaic\)'):
        train(config, register)


class Mixup(Hook):
    """Mixes the images of a batch from the second epoch on."""

    def before_train_epoch(self, runner: Runner) -> None:
        if runner.epoch == 1:
            from mmpretrain.models import RandomBatchAugment

            preprocessor: Any = runner.model.data_preprocessor
            preprocessor.batch_augments = RandomBatchAugment(
                dict(type='Mixup', alpha=0.8)
            )


def test_a_mixup_that_comes_later_is_refused(
    folders: Path, tmp_path: Path
) -> None:
    def register(runner: Runner) -> None:
        runner.register_hook(InfoBatchHook())
        runner.register_hook(Mixup())

    with pytest.raises(ConfigError, match='Mixup mixes the images of a batch'):
        train(switching(folders, tmp_path), register)


def test_losses_are_counted_in_the_attributes_that_hold_them() -> None:
    """A list of one is one loss, and so is a loss made of several."""
    several = nn.Module()
    several.loss_part = nn.L1Loss()
    one, listed = nn.Module(), nn.Module()
    one.loss_bbox, listed.loss_bbox = several, nn.ModuleList([nn.L1Loss()])
    listed.losses = nn.ModuleDict({'a': nn.L1Loss(), 'b': nn.L1Loss()})
    model = nn.ModuleDict({'one': one, 'heads': nn.ModuleList([listed])})
    assert losses_by_attribute(model) == {
        'one.loss_bbox': 1,
        'heads.0.loss_bbox': 1,
        'heads.0.losses': 2,
    }
