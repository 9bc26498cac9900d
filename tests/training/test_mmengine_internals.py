"""Assumptions about MMEngine's and PyTorch's own code."""

from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import DataLoader, Dataset

from ies_mm.training import mmengine_internals as internals
from runs import train
from task_runs import classifier_config, in_iterations


class At(Hook):
    """Acts after one iteration and records all of them."""

    def __init__(self, iteration: int, action: Any) -> None:
        self.iteration, self.action = iteration, action
        self.saves: list[int] = []
        self.rates: list[float] = []

    def after_train_iter(self, runner: Runner, *_: Any, **__: Any) -> None:
        if runner.iter == self.iteration:
            self.action(runner)
        if internals.is_about_to_save(runner):
            self.saves.append(runner.iter + 1)
        self.rates += runner.optim_wrapper.get_lr()['lr']


def nothing(runner: Runner) -> None:
    return


def run(config: Any, hook: Hook) -> Runner:
    return train(config, lambda runner: runner.register_hook(hook, 'HIGH'))


def test_a_training_is_told_from_a_validation(
    folders: Path, tmp_path: Path
) -> None:
    found = []

    class Asks(Hook):
        def before_run(self, runner: Runner) -> None:
            found.append(internals.is_going_to_train(runner))

    config = classifier_config(folders, tmp_path)
    config.train_cfg.max_epochs = 1
    config.val_dataloader = config.train_dataloader.to_dict() | dict(
        sampler=dict(type='DefaultSampler', shuffle=False)
    )
    config.val_cfg = dict()
    config.val_evaluator = dict(type='mmpretrain.Accuracy')
    runner = Runner.from_cfg(config)
    runner.register_hook(Asks())
    runner.val()
    runner.train()
    assert found == [False, True]


def test_an_earlier_end(folders: Path, tmp_path: Path) -> None:
    """For iterations, which the log counts, and for epochs."""
    config = in_iterations(classifier_config(folders, tmp_path / 'a'), 9)
    shorter = At(3, lambda runner: internals.set_max_iters(runner, 6))
    runner = run(config, shorter)
    assert runner.iter == runner.max_iters == 6
    assert runner.message_hub.get_info('max_iters') == 6
    config = classifier_config(folders, tmp_path / 'b')
    config.train_cfg.max_epochs = 4
    shorter = At(1, lambda runner: internals.set_max_epochs(runner, 2))
    assert run(config, shorter).epoch == 2


@pytest.mark.parametrize(('total', 'steps'), [(8, 2), (10, 3), (11, 3)])
def test_the_last_gathered_gradients_make_a_step(
    total: int, steps: int
) -> None:
    """Divided by their number, whatever the number of batches."""
    model = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(model.weight)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    wrapper = OptimWrapper(optimizer, accumulative_counts=4)
    wrapper.initialize_count_status(model, 0, 100)
    assert internals.gathered_steps(wrapper) == 4
    internals.tell_end(wrapper, total)
    seen = [0.0]
    for _ in range(total):
        with wrapper.optim_context(model):
            loss = -model(torch.ones(1, 1)).sum()
        wrapper.update_params(loss)
        seen.append(float(model.weight.detach()))
    assert seen[-1] == pytest.approx(steps)
    assert len({*seen}) == steps + 1


class Numbers(Dataset):
    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> int:
        return index


def test_batches_without_an_end() -> None:
    batches = internals.endless_batches(DataLoader(Numbers(), batch_size=2))
    assert [next(batches).tolist() for _ in range(3)] == [
        [0, 1],
        [2, 3],
        [0, 1],
    ]


def test_persistent_workers_are_let_go() -> None:
    loader = DataLoader(Numbers(), num_workers=1, persistent_workers=True)
    assert internals.iterator_of(loader) is None
    list(loader)
    iterator = internals.iterator_of(loader)
    [worker] = iterator._workers
    assert worker.is_alive()
    internals.drop_iterator(loader)
    del iterator
    worker.join(20)
    assert not worker.is_alive()


def test_a_step_of_the_schedulers_of_iterations_alone(
    folders: Path, tmp_path: Path
) -> None:
    config = classifier_config(folders, tmp_path)
    config.train_cfg.max_epochs = 1
    config.param_scheduler = [
        dict(type='ExponentialLR', gamma=0.5, by_epoch=False),
        dict(type='ExponentialLR', gamma=0.1, by_epoch=True),
    ]

    def one_more(runner: Runner) -> None:
        [hook] = [
            h for h in runner.hooks if type(h).__name__ == 'ParamSchedulerHook'
        ]
        internals.step_schedulers(hook, runner)

    rates = run(config, plain := At(99, nothing)) and plain.rates
    run(config, more := At(1, one_more))
    assert more.rates[2] == pytest.approx(rates[3])


@pytest.mark.parametrize(('interval', 'saves'), [(2, [2, 4, 5]), (9, [5])])
def test_a_checkpoint_is_foreseen(
    folders: Path, tmp_path: Path, interval: int, saves: list[int]
) -> None:
    config = in_iterations(classifier_config(folders, tmp_path), 5)
    config.default_hooks.checkpoint = dict(
        type='CheckpointHook', interval=interval, by_epoch=False
    )
    run(config, foresees := At(99, nothing))
    assert foresees.saves == saves
    found = [int(path.stem[5:]) for path in tmp_path.glob('iter_*.pth')]
    assert sorted(found) == saves
