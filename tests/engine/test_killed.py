"""A run that is killed, at the worst moments, goes on as if it had not."""

import json
import multiprocessing
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mmengine.fileio import LocalBackend
from mmengine.runner import Runner

from ies_mm.engine import IESHook
from ies_mm.engine.refresh import Refresher
from ies_mm.report import records
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
    """``original``, but for one call, which ``action`` gets."""
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
    'between arrays and line': patched(records, '_append', 4, kill),
    'in the line': patched(records, '_append', 4, half_a_line),
    'in the checkpoint': patched(LocalBackend, 'put', 4, half_a_checkpoint),
}


def killed(run: Callable[[], Any], moment: str) -> None:
    """Start the run in a process of its own, and see it killed."""

    def child() -> None:
        with pytest.MonkeyPatch.context() as monkeypatch:
            MOMENTS[moment](monkeypatch)
            run()

    process = multiprocessing.get_context('fork').Process(target=child)
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL


@pytest.mark.parametrize('moment', MOMENTS)
def test_in_an_epoch_based_loop(
    folders: Path, tmp_path: Path, moment: str
) -> None:
    def run(name: str, resume: bool = False) -> None:
        config = by_epochs(folders, tmp_path / name)
        config.resume = resume
        hook = IESHook(0.12, order=1, window=1, keep_history=True)
        train(config, with_hook(hook))

    run('whole')
    killed(lambda: run('killed'), moment)
    run('killed', resume=True)
    last = f'epoch_{EPOCHS}.pth'
    assert_same_run(tmp_path / 'killed', tmp_path / 'whole', last)
    lines = (tmp_path / 'killed' / 'ies' / 'epochs.jsonl').read_text()
    epochs = [json.loads(line)['epoch'] for line in lines.splitlines()]
    assert epochs == list(range(1, EPOCHS + 1))
    assert not list(tmp_path.glob('killed/ies/*.tmp'))


def test_in_an_iteration_based_loop(folders: Path, tmp_path: Path) -> None:
    def run(name: str, resume: bool = False) -> Runner:
        config = by_iterations(folders, tmp_path / name)
        config.resume = resume
        hook = IESHook(0.12, order=1, window=1, keep_history=True)
        return train(config, with_hook(hook))

    last = f'iter_{run("whole").iter}.pth'
    killed(lambda: run('killed'), 'in an epoch')
    run('killed', resume=True)
    assert_same_run(tmp_path / 'killed', tmp_path / 'whole', last)


def test_several_times(folders: Path, tmp_path: Path) -> None:
    """Killed and resumed until it is through."""

    def run(name: str, resume: bool = False) -> None:
        config = by_epochs(folders, tmp_path / name)
        config.resume = resume
        hook = IESHook(0.12, order=1, window=1, keep_history=True)
        train(config, with_hook(hook))

    run('whole')
    killed(lambda: run('killed'), 'before the first checkpoint')
    killed(lambda: run('killed', resume=True), 'in the line')
    killed(lambda: run('killed', resume=True), 'before the first checkpoint')
    run('killed', resume=True)
    last = f'epoch_{EPOCHS}.pth'
    assert_same_run(tmp_path / 'killed', tmp_path / 'whole', last)
