"""One set-up at a time."""

import fcntl
import os
import signal
import subprocess
from pathlib import Path

from fake_set_up import calls, command, flag, set_up, wait_for


def test_one_set_up_at_a_time(with_venv: Path) -> None:
    with (with_venv / '.setup.lock').open('w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        result = set_up(with_venv)
    assert result.returncode == 1
    [line] = result.stderr.splitlines()
    assert 'another set-up is running' in line
    assert calls(with_venv) == []
    assert set_up(with_venv).returncode == 0


def test_lock_outlives_a_hard_kill_while_pip_runs(with_venv: Path) -> None:
    flag(with_venv, 'slow-torchvision').touch()
    process = subprocess.Popen(command(with_venv))
    wait_for(flag(with_venv, 'reached'))
    child = int(flag(with_venv, 'reached').read_text())
    process.kill()
    process.wait()
    try:
        assert 'another set-up is running' in set_up(with_venv).stderr
    finally:
        os.kill(child, signal.SIGKILL)
