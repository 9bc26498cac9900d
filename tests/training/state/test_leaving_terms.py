"""A loss term that disappears in the middle of a training, and returns."""

from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner

from late_terms import AWAY, EPOCHS, NEW, Leaving, leaving_config
from runs import instances_of, train
from same_runs import assert_equal
from task_runs import in_iterations


def leave(runner: Runner) -> None:
    runner.register_hook(Leaving(), priority='VERY_HIGH')


@pytest.fixture(scope='module')
def left(maps: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    work_dir = tmp_path_factory.mktemp('leaving')
    train(leaving_config(maps, work_dir), leave)
    return work_dir


def test_the_training_goes_on_without_a_term_and_with_it_again(
    left: Path,
) -> None:
    kept = instances_of(left)
    column = kept['terms'].tolist().index(NEW)
    away = [epoch - 1 for epoch in AWAY]
    there = [e for e in range(EPOCHS) if e not in away]
    values = kept['losses'][:, :, column]
    assert (values[away][kept['trained'][away]] == 0).all()
    assert (values[there][kept['trained'][there]] > 0).all()
    log = '\n'.join(p.read_text() for p in left.glob('*/*.log'))
    assert log.count(f'loss term {NEW} left in epoch {AWAY[0]}:') == 1
    assert log.count(f'loss term {NEW} came back in epoch {AWAY[-1] + 1}') == 1
    assert log.count('loss term') == 2


def test_nobody_is_judged_by_the_jump(left: Path) -> None:
    """No kept difference is as large as the term that disappeared."""
    state = torch.load(left / f'epoch_{AWAY[0]}.pth', weights_only=False)
    [values] = every(state, 'values')
    kept = instances_of(left)
    column = kept['terms'].tolist().index(NEW)
    observed = kept['trained'][AWAY[0] - 1]
    assert (values[:, observed, column] == 0).all()


def test_a_run_resumed_without_the_term_is_one_never_stopped(
    left: Path, maps: Path, tmp_path: Path
) -> None:
    config = leaving_config(maps, tmp_path)
    config.resume = True
    config.load_from = str(left / f'epoch_{AWAY[1]}.pth')
    train(config, leave)
    ours, theirs = (
        torch.load(folder / f'epoch_{EPOCHS}.pth', weights_only=False)
        for folder in (tmp_path, left)
    )
    for name in ('values', 'selection', 'absent'):
        assert every(ours, name)
        assert_equal(every(ours, name), every(theirs, name))


class LeavingWithin(Leaving):
    """The same, but within passes of three batches: iterations 8 to 13."""

    def before_train_iter(self, runner: Runner, *_: Any, **__: Any) -> None:
        self.have(runner, not 8 <= runner.iter < 14)


def within(runner: Runner) -> None:
    runner.register_hook(LeavingWithin(), priority='VERY_HIGH')


@pytest.fixture(scope='module')
def left_within(maps: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    work_dir = tmp_path_factory.mktemp('leaving_within')
    train(within_config(maps, work_dir), within)
    return work_dir


def within_config(maps: Path, work_dir: Path) -> Config:
    config = in_iterations(leaving_config(maps, work_dir), 20)
    config.train_dataloader.sampler.type = 'IESSampler'
    config.default_hooks.checkpoint.interval = 3
    return config


@pytest.mark.parametrize('iteration', [6, 9, 12, 15])
def test_resumed_where_a_term_left_within_a_pass_is_never_stopped(
    left_within: Path, maps: Path, tmp_path: Path, iteration: int
) -> None:
    config = within_config(maps, tmp_path)
    config.resume = True
    config.load_from = str(left_within / f'iter_{iteration}.pth')
    train(config, within)
    ours, theirs = (
        torch.load(folder / 'iter_18.pth', weights_only=False)
        for folder in (tmp_path, left_within)
    )
    for name in ('values', 'selection', 'absent', 'observed'):
        assert every(ours, name)
        assert_equal(every(ours, name), every(theirs, name))


def every(state: Any, key: str) -> list:
    """The values of a key, at any depth."""
    if not isinstance(state, dict):
        return []
    found = [state[key]] if key in state else []
    return found + [v for part in state.values() for v in every(part, key)]
