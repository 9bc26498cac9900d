"""Any method, stopped anywhere, ends the same when resumed."""

from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ies_mm.engine import IESHook, RandomRemovalHook, SoftIESHook
from ies_mm.training.state import checkpoint
from method_cases import METHODS
from runs import epochs_of, train, with_hook
from same_runs import (
    EPOCHS,
    assert_same_run,
    by_epochs,
    by_iterations,
    resumed,
)


@pytest.mark.parametrize(('hook', 'arguments'), METHODS)
def test_after_every_epoch(
    folders: Path, tmp_path: Path, hook: type, arguments: dict
) -> None:
    whole, again = tmp_path / 'whole', tmp_path / 'again'
    arguments = arguments | dict(keep_history=True)
    train(by_epochs(folders, whole), with_hook(hook(**arguments)))
    assert sum(record['excluded'] for record in epochs_of(whole)) > 0
    for epoch in range(1, EPOCHS):
        config = by_epochs(folders, again)
        config = resumed(config, whole, f'epoch_{epoch}.pth')
        train(config, with_hook(hook(**arguments)))
        assert_same_run(again, whole, f'epoch_{EPOCHS}.pth')


@pytest.mark.parametrize(('hook', 'arguments'), METHODS)
def test_in_an_iteration_based_loop_after_every_checkpoint(
    folders: Path, tmp_path: Path, hook: type, arguments: dict
) -> None:
    whole, again = tmp_path / 'whole', tmp_path / 'again'
    arguments = arguments | dict(keep_history=True)
    train(by_iterations(folders, whole), with_hook(hook(**arguments)))
    assert sum(record['excluded'] for record in epochs_of(whole)) > 0
    checkpoints = sorted(path.name for path in whole.glob('iter_*.pth'))
    iterations = sorted(int(name[5:-4]) for name in checkpoints)
    for iteration in iterations[:-1]:
        config = by_iterations(folders, again)
        config = resumed(config, whole, f'iter_{iteration}.pth')
        train(config, with_hook(hook(**arguments)))
        assert_same_run(again, whole, f'iter_{iterations[-1]}.pth')


LATE = [
    (IESHook, dict(saved=0.2, order=0, window=1)),
    (SoftIESHook, dict(saved=0.2, window=1)),
    (RandomRemovalHook, dict(saved=0.2)),
]


@pytest.mark.parametrize(('hook', 'arguments'), LATE)
def test_a_budget_that_began_after_a_plain_run(
    folders: Path, tmp_path: Path, hook: type, arguments: dict
) -> None:
    """It keeps its forecast, and a run resumed twice is the same."""

    def longer(name: str) -> Config:
        config = by_epochs(folders, tmp_path / name)
        config.train_cfg.max_epochs = 10
        return config

    plain = longer('plain')
    plain.train_dataloader.sampler.type = 'DefaultSampler'
    train(plain)

    def goes_on(name: str, source: Path, epoch: int) -> list[int]:
        config = longer(name)
        config.log_level = 'INFO'
        config = resumed(config, source, f'epoch_{epoch}.pth')
        train(config, with_hook(hook(keep_history=True, **arguments)))
        return [record['trained'] for record in epochs_of(tmp_path / name)]

    trained = goes_on('whole', tmp_path / 'plain', 2)
    # The plain run's log was copied with its folder.
    logs = (tmp_path / 'whole').glob('*/*.log')
    lines = [line for log in logs for line in log.read_text().splitlines()]
    [line] = [line for line in lines if 'planned to train' in line]
    said = [int(part) for part in line.rpartition(': ')[2].split()]
    assert said == sorted(said, reverse=True)
    assert said[-1] < 100
    found = 100 * np.array(trained[-len(said) :]) / max(trained)
    assert np.abs(found - said).max() <= 400 / max(trained)  # a batch
    for epoch in (3, 5, 8):
        goes_on('again', tmp_path / 'whole', epoch)
        folders_of_both = tmp_path / 'again', tmp_path / 'whole'
        assert_same_run(*folders_of_both, 'epoch_10.pth')


@pytest.mark.parametrize('before', [True, False])
def test_random_pruning_goes_on_with_or_without_replacement(
    folders: Path, tmp_path: Path, before: bool
) -> None:
    whole, again = tmp_path / 'whole', tmp_path / 'again'

    def hook(replacement: bool) -> RandomRemovalHook:
        return RandomRemovalHook(saved=0.2, replacement=replacement)

    train(by_epochs(folders, whole), with_hook(hook(before)))
    config = resumed(by_epochs(folders, again), whole, 'epoch_4.pth')
    train(config, with_hook(hook(not before)))
    assert epochs_of(again)[-1]['epoch'] == EPOCHS


def test_a_checkpoint_may_be_loaded_onto_another_device() -> None:
    """MMEngine loads it onto the training's."""
    elsewhere = torch.arange(3)
    moved = torch.full((3,), 7)
    state = {'a': [elsewhere, (1, {'b': elsewhere})], 'c': None}
    with mock.patch.object(torch.Tensor, 'cpu', return_value=moved):
        found = checkpoint._on_cpu(state)
    assert found['a'][0] is found['a'][1][1]['b'] is moved
    assert (found['a'][1][0], found['c']) == (1, None)


class Logged(Hook):
    """The number of mastered images that is logged with each epoch."""

    priority = 'VERY_LOW'

    def __init__(self) -> None:
        self.mastered: list[float] = []

    def before_train_epoch(self, runner: Runner) -> None:
        scalar = runner.message_hub.get_scalar('train/ies/mastered')
        self.mastered.append(scalar.current())


def test_the_logged_number_of_mastered_images(
    folders: Path, tmp_path: Path
) -> None:
    def logged(config: Config) -> list[float]:
        found = Logged()

        def register(runner: Runner) -> None:
            runner.register_hook(SoftIESHook(0.4, window=1))
            runner.register_hook(found)

        train(config, register)
        return found.mastered

    whole = logged(by_epochs(folders, tmp_path / 'whole'))
    assert whole[2] > 0
    config = by_epochs(folders, tmp_path / 'again')
    config = resumed(config, tmp_path / 'whole', 'epoch_2.pth')
    assert logged(config) == whole[2:]
