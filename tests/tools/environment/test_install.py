"""The set-up continues where it stopped, whatever the reason."""

import signal
import subprocess
import time
from pathlib import Path

import pytest

from fake_set_up import (
    STEPS,
    calls,
    command,
    flag,
    installed,
    pins,
    set_up,
    stamps,
    wait_for,
)


def test_second_call_does_nothing_and_is_quick(with_venv: Path) -> None:
    first = set_up(with_venv)
    assert first.returncode == 0, first.stderr
    assert stamps(with_venv) == STEPS
    assert installed(calls(with_venv)) == STEPS
    started = time.monotonic()
    second = set_up(with_venv)
    assert time.monotonic() - started < 2
    assert second.returncode == 0
    assert second.stdout == ''
    assert calls(with_venv) == []


@pytest.mark.parametrize(
    ('word', 'step'),
    [('torchvision', 'torch'), ('onedl-mmdet', 'openmmlab')],
)
def test_failed_step_is_done_again(
    with_venv: Path, word: str, step: str
) -> None:
    flag(with_venv, f'fail-{word}').touch()
    result = set_up(with_venv)
    assert result.returncode == 1
    *tail, line = result.stderr.splitlines()
    assert tail == ['ERROR: no such thing']
    assert line.startswith(f'setup: step {step} failed')
    assert str(with_venv / '.venv' / 'setup' / f'{step}.log') in line
    position = STEPS.index(step)
    assert stamps(with_venv) == STEPS[:position]
    flag(with_venv, f'fail-{word}').unlink()
    calls(with_venv)
    assert set_up(with_venv).returncode == 0
    assert installed(calls(with_venv)) == STEPS[position:]


def test_killed_step_is_done_again(with_venv: Path) -> None:
    flag(with_venv, 'slow-torchvision').touch()
    process = subprocess.Popen(
        command(with_venv), stderr=subprocess.PIPE, text=True
    )
    wait_for(flag(with_venv, 'reached'))
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 130
    assert len(errors.splitlines()) == 1
    assert stamps(with_venv) == STEPS[:1]
    flag(with_venv, 'slow-torchvision').unlink()
    calls(with_venv)
    # The lock is only free if the fake pip is gone, too.
    assert set_up(with_venv).returncode == 0
    assert installed(calls(with_venv)) == STEPS[1:]


def test_half_installed_distribution_is_forgotten(with_venv: Path) -> None:
    packages = with_venv / '.venv' / 'lib' / 'python3.11' / 'site-packages'
    for name in ('half-1.dist-info', 'whole-1.dist-info', '~orch'):
        (packages / name).mkdir(parents=True)
    (packages / 'whole-1.dist-info' / 'INSTALLER').touch()
    assert set_up(with_venv).returncode == 0
    left = [path.name for path in packages.iterdir()]
    assert left == ['whole-1.dist-info']


def test_changed_constraints_are_installed(with_venv: Path) -> None:
    set_up(with_venv)
    calls(with_venv)
    with pins(with_venv).open('a') as file:
        file.write('another==1.0\n')
    assert set_up(with_venv).returncode == 0
    lines = calls(with_venv)
    assert installed(lines) == STEPS
    assert not any('pip wheel' in line for line in lines)


def test_missing_stamp_redoes_what_comes_after(with_venv: Path) -> None:
    set_up(with_venv)
    calls(with_venv)
    (with_venv / '.venv' / 'setup' / 'mmcv.done').unlink()
    assert set_up(with_venv).returncode == 0
    assert installed(calls(with_venv)) == STEPS[2:]
    assert stamps(with_venv) == STEPS


def test_what_never_imports_is_not_done(with_venv: Path) -> None:
    flag(with_venv, 'broken-torchvision').touch()
    result = set_up(with_venv)
    assert result.returncode == 1
    assert '`import torch, torchvision` fails' in result.stderr
    assert stamps(with_venv) == STEPS[:1]
    assert any('--force-reinstall' in line for line in calls(with_venv))


def test_a_foreign_venv_is_never_removed(with_venv: Path) -> None:
    flag(with_venv, 'python').unlink()
    mine = with_venv / '.venv' / 'mine'
    mine.touch()
    result = set_up(with_venv)
    assert result.returncode == 1
    assert 'was not created by `make setup`' in result.stderr
    assert mine.exists()
