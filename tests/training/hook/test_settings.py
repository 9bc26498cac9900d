"""IES together with other settings that a config may enable.

With every setting, a run that prunes nothing is bit-identical to plain,
and one that prunes follows its decisions and observes float32 losses.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import EMAHook
from mmengine.runner import Runner

import autocast  # noqa: F401
from runs import FixedSelection, epochs_of, instances_of, train, with_hook
from same_runs import assert_equal
from task_runs import classifier_config, segmentor_config, with_sampler

EPOCHS = 3
PLAN = {1: [0, 3, 4], 2: [1, 2, 5, 6, 7]}


def amp(config: Config) -> None:
    config.optim_wrapper.type = 'Bfloat16Wrapper'


def accumulation(config: Config) -> None:
    config.optim_wrapper.accumulative_counts = 2


def clipping(config: Config) -> None:
    config.optim_wrapper.clip_grad = dict(max_norm=0.1)


def ema(config: Config) -> None:
    config.custom_hooks = [dict(type='EMAHook', momentum=0.1)]


def sync_bn(config: Config) -> None:
    config.model.backbone.norm_cfg = dict(type='SyncBN')


def compiled(config: Config) -> None:
    # Graphs run as they are: only the tracing of the step matters.
    config.compile = dict(backend='eager')


def not_compiled(config: Config) -> None:
    config.compile = False


def checkpointing(config: Config) -> None:
    config.activation_checkpointing = ['backbone.layer1']


def nothing(config: Config) -> None:
    """The config unchanged."""


Setting = Callable[[Config], None]

SETTINGS: list[Setting] = [
    nothing,
    amp,
    accumulation,
    clipping,
    ema,
    sync_bn,
    not_compiled,
    checkpointing,
]
CASES = [(task, s) for task in ('cls', 'seg') for s in SETTINGS]
# Tracing is slow, so one task has to do.
CASES.append(('cls', compiled))


@pytest.fixture
def config_of(folders: Path, maps: Path, tmp_path: Path) -> Any:
    def make(task: str, name: str, setting: Setting) -> Config:
        if task == 'cls':
            config = classifier_config(folders, tmp_path / name)
        else:
            config = segmentor_config(maps, tmp_path / name)
        config.train_cfg.max_epochs = EPOCHS
        setting(config)
        return config

    return make


def final(runner: Runner) -> dict[str, Any]:
    """Parameters and their averages, if any."""
    averages = [
        hook.ema_model.state_dict()
        for hook in runner.hooks
        if isinstance(hook, EMAHook)
    ]
    return {'model': runner.model.state_dict(), 'averages': averages}


@pytest.mark.parametrize(('task', 'setting'), CASES)
def test_off_is_the_plain_run(
    config_of: Any, task: str, setting: Setting
) -> None:
    plain = train(config_of(task, 'plain', setting))
    ours = with_sampler(config_of(task, 'ours', setting))
    runner = train(ours, with_hook(FixedSelection({})))
    assert_equal(final(runner), final(plain))


@pytest.mark.parametrize(('task', 'setting'), CASES)
def test_on_leaves_out_what_was_decided(
    config_of: Any, tmp_path: Path, task: str, setting: Setting
) -> None:
    config = with_sampler(config_of(task, 'on', setting))
    hook = FixedSelection(PLAN, keep_history=True)
    runner = train(config, with_hook(hook))
    images = 20 if task == 'cls' else 10
    trained = instances_of(tmp_path / 'on')['trained']
    for epoch, out in enumerate([[], *PLAN.values()]):
        left_out = np.flatnonzero(~trained[epoch]).tolist()
        # One more than planned is trained if an image would be alone.
        assert set(left_out) <= set(out)
        assert len(left_out) >= len(out) - ((images - len(out)) % 4 == 1)
    losses = instances_of(tmp_path / 'on')['losses']
    assert losses.dtype == np.float32
    assert np.isfinite(losses).all()
    assert hook.session.state.history.values.dtype == torch.float32
    assert epochs_of(tmp_path / 'on')[-1]['forward_only'] == len(left_out)
    assert runner.epoch == EPOCHS


def test_mixed_precision_reaches_the_losses(
    config_of: Any, tmp_path: Path
) -> None:
    """They differ from float32 losses by bfloat16's missing digits."""
    for setting in (nothing, amp):
        name = setting.__name__
        config = with_sampler(config_of('cls', name, setting))
        config.optim_wrapper.optimizer.lr = 0.0
        config.model.backbone.norm_eval = True
        train(config, with_hook(FixedSelection(PLAN, keep_history=True)))
    full, half = (
        instances_of(tmp_path / name)['losses'] for name in ('nothing', 'amp')
    )
    gap = np.abs(half - full)[..., 0]
    trained = instances_of(tmp_path / 'amp')['trained']
    assert 0 < gap[trained].max() < 0.05
    assert 0 < gap[~trained].max() < 0.05


def test_accumulated_gradients_are_all_used(config_of: Any) -> None:
    """Iterations 5 + 5 + 4; every other one makes a step, and the last."""
    config = with_sampler(config_of('cls', 'on', accumulation))
    config.optim_wrapper.accumulative_counts = 4
    steps: list[int] = []

    def prepare(runner: Runner) -> None:
        runner.register_hook(FixedSelection(PLAN))
        runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
        original = runner.optim_wrapper.optimizer.step

        def step(*args: Any, **kwargs: Any) -> Any:
            steps.append(runner.iter + 1)
            return original(*args, **kwargs)

        runner.optim_wrapper.optimizer.step = step

    runner = train(config, prepare)
    assert runner.iter == 14
    assert steps == [4, 8, 12, 14]


def test_averages_are_not_what_is_scored(
    config_of: Any, tmp_path: Path
) -> None:
    """Excluded images are scored with the weights being trained."""
    found = []
    for setting in (nothing, ema):
        config = with_sampler(config_of('cls', setting.__name__, setting))
        train(config, with_hook(FixedSelection(PLAN, keep_history=True)))
        found.append(instances_of(tmp_path / setting.__name__)['losses'])
    assert np.array_equal(*found)
