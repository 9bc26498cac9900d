"""Checkpoints saved by hand, and ``train`` called again on a runner."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ies_mm.engine import IESHook
from ies_mm.errors import ConfigError
from ies_mm.training.state.checkpoint import KEY
from runs import epochs_of, train, with_hook
from same_runs import (
    EPOCHS,
    assert_same_run,
    by_epochs,
    by_iterations,
    resumed,
)


def ies() -> IESHook:
    return IESHook(0.12, order=1, window=1, keep_history=True)


class Interrupt(Hook):
    """Ctrl-C, once."""

    priority = 'VERY_HIGH'

    def __init__(self, iteration: int) -> None:
        self.iteration = iteration

    def before_train_iter(self, runner: Runner, *_: Any, **__: Any) -> None:
        if runner.iter == self.iteration:
            self.iteration = -1
            raise KeyboardInterrupt


def interrupted(
    config: Config, iteration: int, hook: IESHook | None = None
) -> Runner:
    """A runner whose training was interrupted before an iteration."""
    runners = []

    def prepare(runner: Runner) -> None:
        runners.append(runner)
        runner.register_hook(hook or ies())
        runner.register_hook(Interrupt(iteration))

    with pytest.raises(KeyboardInterrupt):
        train(config, prepare)
    return runners[0]


def save(runner: Runner, name: str, **arguments: Any) -> None:
    options = dict(save_optimizer=False, save_param_scheduler=False)
    runner.save_checkpoint(runner.work_dir, name, **(options | arguments))


def test_a_checkpoint_before_the_training(
    folders: Path, tmp_path: Path
) -> None:
    """It has no state yet, or the resumed one."""
    config = by_epochs(folders, tmp_path / 'first')
    config.train_cfg.max_epochs = 2

    def prepare(runner: Runner) -> None:
        runner.register_hook(ies())
        save(runner, 'before.pth')

    train(config, prepare)
    path = tmp_path / 'first'
    assert KEY not in torch.load(path / 'before.pth', weights_only=False)

    def go_on(runner: Runner) -> None:
        runner.register_hook(ies())
        runner.load_or_resume()
        save(runner, 'again.pth')

    config = by_epochs(folders, tmp_path / 'second')
    config.resume, config.load_from = True, str(path / 'epoch_2.pth')
    config.train_cfg.max_epochs = 2
    train(config, go_on)
    states = [
        torch.load(file, weights_only=False)[KEY]
        for file in (path / 'epoch_2.pth', tmp_path / 'second' / 'again.pth')
    ]
    assert states[1]['epochs'] == states[0]['epochs'] == 2


@pytest.mark.parametrize(
    ('loop', 'iteration'), [(by_epochs, 10), (by_iterations, 13)]
)
def test_broken_off_after_it_was_resumed(
    folders: Path,
    tmp_path: Path,
    loop: Callable[..., Config],
    iteration: int,
) -> None:
    """It continues where it stopped, not from the checkpoint."""
    whole = tmp_path / 'whole'
    end = train(loop(folders, whole), with_hook(ies())).iter
    first = 'epoch_1.pth' if loop is by_epochs else 'iter_4.pth'
    config = resumed(loop(folders, tmp_path / 'again'), whole, first)
    interrupted(config, iteration).train()
    last = f'epoch_{EPOCHS}.pth' if loop is by_epochs else f'iter_{end}.pth'
    assert_same_run(tmp_path / 'again', whole, last)


def test_broken_off_within_an_epoch(folders: Path, tmp_path: Path) -> None:
    """The epoch restarts, and its earlier observations do not count."""
    hook = ies()
    hook.method.dry_run = True
    runner = interrupted(by_epochs(folders, tmp_path), 12, hook)
    runner.train()
    assert [r['epoch'] for r in epochs_of(tmp_path)] == [1, 2, 3, 4, 5]
    assert hook.session.state.history.count.tolist() == [5] * 20


@pytest.mark.parametrize(
    ('loop', 'iteration'), [(by_epochs, 10), (by_iterations, 13)]
)
def test_broken_off_and_trained_again(
    folders: Path,
    tmp_path: Path,
    loop: Callable[..., Config],
    iteration: int,
) -> None:
    """Ctrl-C before the first batch of an epoch, or within a pass."""
    whole, again = tmp_path / 'whole', tmp_path / 'again'
    end = train(loop(folders, whole), with_hook(ies())).iter
    interrupted(loop(folders, again), iteration).train()
    last = f'epoch_{EPOCHS}.pth' if loop is by_epochs else f'iter_{end}.pth'
    assert_same_run(again, whole, last)


def test_a_finished_training_is_left_as_it_is(
    folders: Path, tmp_path: Path
) -> None:
    whole = tmp_path / 'whole'
    train(by_epochs(folders, whole), with_hook(ies()))
    config = resumed(
        by_epochs(folders, tmp_path / 'again'), whole, 'epoch_2.pth'
    )
    hook = ies()
    runner = train(config, with_hook(hook))
    runner.train()
    assert hook.session.state.epochs == EPOCHS
    assert_same_run(tmp_path / 'again', whole, f'epoch_{EPOCHS}.pth')


@pytest.mark.parametrize('loop', [by_epochs, by_iterations])
def test_trained_again_with_other_data(
    folders: Path, tmp_path: Path, loop: Callable[[Path, Path], Config]
) -> None:
    """The error cannot refer to a checkpoint, since there is none."""
    config = loop(folders, tmp_path)
    runner = train(config, with_hook(ies()))
    other = copy.deepcopy(config.train_dataloader)
    other.dataset.indices = 9
    runner.train_loop.dataloader = runner.build_dataloader(other, seed=7)
    with pytest.raises(ConfigError) as error:
        runner.train()
    assert str(error.value).startswith(
        "cannot continue: this runner's training is of another dataset (20 "
    )
    assert str(error.value).endswith('the same data, or make a new runner')


def test_resumed_by_hand(folders: Path, tmp_path: Path) -> None:
    """``Runner.resume`` loads the state like ``resume=True``."""
    whole = tmp_path / 'whole'
    train(by_epochs(folders, whole), with_hook(ies()))
    config = resumed(
        by_epochs(folders, tmp_path / 'again'), whole, 'epoch_3.pth'
    )
    config.resume, config.load_from = False, None
    hook = ies()

    def prepare(runner: Runner) -> None:
        runner.register_hook(hook)
        runner.resume(str(whole / 'epoch_3.pth'))
        hook.method.dry_run = True

    train(config, prepare)
    assert hook.session.state.history.count.max() == EPOCHS


def test_resumed_from_a_checkpoint_saved_after_the_training(
    folders: Path, tmp_path: Path
) -> None:
    """MMEngine counts an extra epoch in it; no observation is lost."""
    config = by_epochs(folders, tmp_path)
    config.train_cfg.max_epochs = 2
    runner = train(config, with_hook(ies()))
    save(runner, 'by_hand.pth', save_optimizer=True)
    config = by_epochs(folders, tmp_path)
    config.resume, config.load_from = True, str(tmp_path / 'by_hand.pth')
    hook = ies()
    train(config, with_hook(hook))
    assert [r['epoch'] for r in epochs_of(tmp_path)] == [1, 2, 4, 5]
    assert hook.session.state.history.count.tolist() == [4] * 20
