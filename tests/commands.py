"""Starting the tools as a user does."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

TRAIN = Path(__file__).parents[1] / 'tools' / 'train.py'
# Some of torch's deprecations are shown whatever Python is told.
WARNING = re.compile(r'^.*: DeprecationWarning: .*\n {2}.*\n', re.MULTILINE)
# Printed by libraries of OpenMMLab when they are imported.
NOTICE = re.compile(r'^Could not import OneDL\..*\n', re.MULTILINE)


def call(
    *command: Any, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a Python file; libraries' warnings are not among its lines."""
    result = subprocess.run(
        [sys.executable, *map(str, command)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | dict(PYTHONWARNINGS='ignore') | environment,
    )
    result.stderr = WARNING.sub('', result.stderr)
    result.stdout = NOTICE.sub('', result.stdout)
    return result


def error_line(capsys: pytest.CaptureFixture[str]) -> str:
    """The one line on stderr, of a tool that was called in this process."""
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1, lines
    return lines[0]
