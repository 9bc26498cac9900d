"""Starting the tools as a user does."""

import json
import os
import re
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import pytest

SERVER = Path(__file__).with_name('fork_server.py')
FORKED = (
    'bench', 'calibrate', 'compare', 'coverage', 'demo', 'gpu', 'paper',
    'test', 'tournament', 'train',
)  # fmt: skip
"""Tools that import OpenMMLab, which takes several seconds."""

TRAIN = Path(__file__).parents[1] / 'tools' / 'train.py'
# Some torch deprecations are shown regardless of Python's filters.
WARNING = re.compile(r'^.*: DeprecationWarning: .*\n {2}.*\n', re.MULTILINE)
# Printed by OpenMMLab libraries on import.
NOTICE = re.compile(r'^Could not import OneDL\b.*\n', re.MULTILINE)


def call(
    *command: Any, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a Python file; drop the libraries' warnings from its output."""
    arguments = list(map(str, command))
    variables = os.environ | dict(PYTHONWARNINGS='ignore') | environment
    forks = Path(arguments[0]).stem in FORKED and _is_tool(arguments[0])
    run = _forked if forks and 'PYTHONPATH' not in environment else _started
    result = run(arguments, variables)
    result.stderr = WARNING.sub('', result.stderr)
    result.stdout = NOTICE.sub('', result.stdout)
    return result


def in_two_processes(script: Path, *arguments: Any) -> None:
    """Run a Python file in two processes, started by torchrun."""
    command = [sys.executable, '-m', 'torch.distributed.run', '--standalone']
    ended = subprocess.run(
        [*command, '--nproc_per_node=2', script, *arguments],
        env=os.environ | dict(OMP_NUM_THREADS='1'),
        capture_output=True,
        check=False,
        text=True,
        timeout=540,
    )
    assert ended.returncode == 0, ended.stderr[-3000:]


def _started(
    command: list[str], variables: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *command],
        capture_output=True,
        text=True,
        check=False,
        env=variables,
    )


def _forked(
    command: list[str], variables: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    """The same in a process that has already imported everything."""
    server = _server()
    assert server.stdin is not None
    assert server.stdout is not None
    with tempfile.TemporaryDirectory() as folder:
        out, err = (Path(folder, name) for name in ('out', 'err'))
        out.touch()
        err.touch()
        request = dict(
            command=command,
            environment=variables,
            cwd=str(Path.cwd()),
            stdin=os.devnull,
            stdout=str(out),
            stderr=str(err),
        )
        print(json.dumps(request), file=server.stdin, flush=True)
        code = int(server.stdout.readline())
        return subprocess.CompletedProcess(
            command, code, out.read_text(), err.read_text()
        )


@cache
def _server() -> subprocess.Popen[str]:
    """One server per test process, which ends with it."""
    return subprocess.Popen(
        [sys.executable, SERVER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | dict(PYTHONWARNINGS='ignore'),
    )


def _is_tool(path: str) -> bool:
    return Path(path).resolve().parent == TRAIN.parent


def error_line(capsys: pytest.CaptureFixture[str]) -> str:
    """The single stderr line of a tool called in this process."""
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1, lines
    return lines[0]
