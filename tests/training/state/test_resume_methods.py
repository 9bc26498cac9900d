"""Whatever the method and wherever it stops: resumed, it ends the same."""

from pathlib import Path

import pytest

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
