"""Fine-tuning of the head alone."""

from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.model import MMDistributedDataParallel
from mmengine.runner import Runner

from ies_mm.engine import HeadOnlyHook
from ies_mm.errors import ConfigError
from runs import train, with_hook
from task_runs import classifier_config


def state_of(runner: Runner) -> dict[str, torch.Tensor]:
    model: Any = runner.model
    return {k: v.clone() for k, v in model.state_dict().items()}


class AsLoaded(Hook):
    """Keeps the state that the training starts from."""

    def before_train(self, runner: Runner) -> None:
        self.state = state_of(runner)


def test_all_but_the_head_stays_to_the_bit(
    folders: Path, tmp_path: Path
) -> None:
    config = classifier_config(folders, tmp_path)
    config.train_cfg.max_epochs = 3
    config.custom_hooks = [dict(type='HeadOnlyHook')]
    before = AsLoaded()
    after = state_of(train(config, with_hook(before)))
    assert any('running_mean' in name for name in after)
    for name, values in after.items():
        same = torch.equal(values, before.state[name])
        assert same == (not name.startswith('head.')), name


class Frozen(Hook):
    """Keeps which parts are trained in each iteration."""

    priority = 'VERY_LOW'

    def __init__(self, runs: list[set[str]]) -> None:
        self.runs = runs

    def before_train_iter(self, runner: Runner, *_: Any, **__: Any) -> None:
        self.runs.append(trained_parts(runner.model))


def trained_parts(model: Any) -> set[str]:
    return {
        name.partition('.')[0]
        for name, parameter in model.named_parameters()
        if parameter.requires_grad
    }


def test_the_other_parts_can_be_trained_afterwards(
    folders: Path, tmp_path: Path
) -> None:
    config = classifier_config(folders, tmp_path)
    config.train_cfg.max_epochs = 1
    config.custom_hooks = [dict(type='HeadOnlyHook')]
    runs: list[set[str]] = []
    runner = train(config, with_hook(Frozen(runs)))
    assert all(parts == {'head'} for parts in runs)
    assert trained_parts(runner.model) == {'backbone', 'head'}


def test_a_head_that_is_not_there(folders: Path, tmp_path: Path) -> None:
    config = classifier_config(folders, tmp_path)
    config.custom_hooks = [dict(type='HeadOnlyHook', head='bbox_head')]
    with pytest.raises(ConfigError, match='has only'):
        train(config)


def test_several_processes_are_refused() -> None:
    wrapper = MMDistributedDataParallel.__new__(MMDistributedDataParallel)
    torch.nn.Module.__init__(wrapper)
    runner: Any = type('Runner', (), {'model': wrapper})()
    with pytest.raises(ConfigError, match='train in one process'):
        HeadOnlyHook().before_train(runner)
