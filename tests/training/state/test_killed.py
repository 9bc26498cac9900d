"""A run killed at the worst moments resumes as if it had not been."""

import json
import multiprocessing
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.fileio import LocalBackend
from mmengine.runner import Runner

from ies_mm.engine import IESHook
from ies_mm.report import records
from ies_mm.training.scoring.refresh import Refresher
from runs import train, with_hook
from same_runs import (
    EPOCHS,
    assert_same_run,
    by_epochs,
    by_iterations,
)

Patch = Callable[[pytest.MonkeyPatch], Any]


def kill(*_: Any, **__: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def at_call(number: int, action: Callable, original: Callable) -> Callable:
    """``original``, except for one call, which goes to ``action``."""
    calls = 0

    def call(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        chosen = action if calls == number else original
        return chosen(*args, **kwargs)

    return call


def patched(owner: Any, name: str, number: int, action: Callable) -> Patch:
    def patch(monkeypatch: pytest.MonkeyPatch) -> None:
        call = at_call(number, action, getattr(owner, name))
        monkeypatch.setattr(owner, name, call)

    return patch


def half_of_the_arrays(file: Any, **arrays: np.ndarray) -> None:
    file.write(b'PK' * 100)
    file.flush()
    kill()


def half_a_line(path: Path, text: str) -> None:
    with path.open('a') as file:
        file.write(text[: len(text) // 2])
    kill()


def half_a_checkpoint(backend: Any, content: bytes, path: Path) -> None:
    Path(path).write_bytes(content[: len(content) // 2])
    kill()


MOMENTS: dict[str, Patch] = {
    # In epoch 4; a full epoch has five iterations.
    'in an epoch': patched(IESHook, 'before_train_iter', 17, kill),
    'before the first checkpoint': patched(
        IESHook, 'before_train_iter', 3, kill
    ),
    'while excluded images are scored': patched(Refresher, 'score', 1, kill),
    'in the arrays': patched(np, 'savez', 4, half_of_the_arrays),
    'between arrays and line': patched(records, 'append', 4, kill),
    'in the line': patched(records, 'append', 4, half_a_line),
    'in the checkpoint': patched(LocalBackend, 'put', 4, half_a_checkpoint),
}


def killed(run: Callable[[], Any], moment: str) -> None:
    """Start the run in a separate process, and see it killed."""

    def child() -> None:
        with pytest.MonkeyPatch.context() as monkeypatch:
            MOMENTS[moment](monkeypatch)
            run()

    process = multiprocessing.get_context('fork').Process(target=child)
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL


def ies(config: Config, resume: bool = False) -> Runner:
    """Train from the beginning or from the last checkpoint."""
    config.resume = resume
    hook = IESHook(0.12, order=1, window=1, keep_history=True)
    return train(config, with_hook(hook))


@pytest.mark.parametrize('moment', MOMENTS)
def test_in_an_epoch_based_loop(
    folders: Path, tmp_path: Path, moment: str
) -> None:
    whole, again = tmp_path / 'whole', tmp_path / 'killed'
    ies(by_epochs(folders, whole))
    killed(lambda: ies(by_epochs(folders, again)), moment)
    ies(by_epochs(folders, again), resume=True)
    assert_same_run(again, whole, f'epoch_{EPOCHS}.pth')
    lines = (again / 'ies' / 'epochs.jsonl').read_text()
    epochs = [json.loads(line)['epoch'] for line in lines.splitlines()]
    assert epochs == list(range(1, EPOCHS + 1))
    assert not list(again.glob('ies/*.tmp'))


def test_in_an_iteration_based_loop(folders: Path, tmp_path: Path) -> None:
    whole, again = tmp_path / 'whole', tmp_path / 'killed'
    iterations = ies(by_iterations(folders, whole)).iter
    killed(lambda: ies(by_iterations(folders, again)), 'in an epoch')
    ies(by_iterations(folders, again), resume=True)
    assert_same_run(again, whole, f'iter_{iterations}.pth')


def test_several_times(folders: Path, tmp_path: Path) -> None:
    """Killed and resumed until it is finished."""
    whole, again = tmp_path / 'whole', tmp_path / 'killed'
    ies(by_epochs(folders, whole))
    early = 'before the first checkpoint'
    killed(lambda: ies(by_epochs(folders, again)), early)
    for moment in ('in the line', early):
        killed(lambda: ies(by_epochs(folders, again), resume=True), moment)
    ies(by_epochs(folders, again), resume=True)
    assert_same_run(again, whole, f'epoch_{EPOCHS}.pth')
