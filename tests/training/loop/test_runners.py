"""FlexibleRunner, model wrappers, and loops that do not fit the config."""

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODEL_WRAPPERS
from mmengine.runner import FlexibleRunner, Runner
from torch import nn

from ies_mm.errors import ConfigError
from iteration_runs import IMAGES, plain
from runs import FixedSelection, epochs_of, train, with_hook
from same_runs import assert_equal
from task_runs import classifier_config, with_ies, with_sampler

BUDGET = dict(
    delta=dict(type='Budget', saved=0.3), order=0, window=1, keep_history=True
)


def flexible(config: Config, name: str) -> FlexibleRunner:
    config = copy.deepcopy(config)
    config.strategy = dict(type='SingleDeviceStrategy')
    config.env_cfg = dict()
    config.experiment_name = name
    runner = FlexibleRunner.from_cfg(config)
    runner.train()
    return runner


def test_a_flexible_runner_trains_and_resumes(
    folders: Path, tmp_path: Path
) -> None:
    """Bit-identical to the other runner."""
    made = {}
    for name in ('runner', 'flexible', 'resumed'):
        config = with_ies(
            classifier_config(folders, tmp_path / name), **BUDGET
        )
        config.train_cfg.max_epochs = 5
        config.train_dataloader.dataset.pipeline.pop(1)
        if name == 'runner':
            made[name] = train(config)
            continue
        if name == 'resumed':
            config.resume = True
            config.load_from = str(tmp_path / 'flexible' / 'epoch_3.pth')
        made[name] = flexible(config, f'{tmp_path.name}_{name}')
    records = [r['excluded'] for r in epochs_of(tmp_path / 'flexible')]
    assert any(records)
    assert records == [r['excluded'] for r in epochs_of(tmp_path / 'runner')]
    again = [r['excluded'] for r in epochs_of(tmp_path / 'resumed')]
    assert again == records[3:]
    for name in ('flexible', 'resumed'):
        assert_equal(
            dict(made[name].model.state_dict()),
            dict(made['runner'].model.state_dict()),
        )


class Sharded(nn.Module):
    """A wrapper that no hook recognises."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def train_step(self, *_: Any, **__: Any) -> None:
        raise AssertionError('a step was made')


def test_models_that_are_sharded_are_refused(
    folders: Path, tmp_path: Path
) -> None:
    MODEL_WRAPPERS.register_module(module=Sharded)
    try:
        config = with_sampler(classifier_config(folders, tmp_path))

        def prepare(runner: Runner) -> None:
            with_hook(FixedSelection({}))(runner)
            runner.model = Sharded(runner.model)

        with pytest.raises(ConfigError, match='wrapped in Sharded, whose'):
            train(config, prepare)
    finally:
        del MODEL_WRAPPERS.module_dict['Sharded']


def test_an_epoch_loop_on_an_iteration_config(
    folders: Path, tmp_path: Path
) -> None:
    """Its sampler was infinite, and its hooks count iterations."""
    config = with_sampler(plain(folders, tmp_path))
    config.train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=4)
    config.default_hooks.checkpoint.interval = 3
    config.param_scheduler = [dict(type='PolyLR', by_epoch=False, end=20)]
    out = list(range(8))
    runner = train(
        config, with_hook(FixedSelection(dict.fromkeys((1, 2), out)))
    )
    records = epochs_of(tmp_path)
    trained = [IMAGES, IMAGES - 8, IMAGES - 8, IMAGES]
    assert [r['trained'] for r in records] == trained
    assert runner.iter == 5 + 3 + 3 + 5
    assert runner.optim_wrapper.get_lr()['lr'] == [0.0]
    state = torch.load(tmp_path / 'iter_6.pth', weights_only=False)
    # In the middle of an epoch: it restarts, and nothing of it is kept.
    assert state['ies']['observed'] == {}
    config.resume, config.load_from = True, str(tmp_path / 'iter_6.pth')
    train(config, with_hook(FixedSelection(dict.fromkeys((1, 2), out))))
    assert [r['trained'] for r in epochs_of(tmp_path)] == trained
