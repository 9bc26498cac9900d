"""`make setup` with the user's own environment or Python."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from fake_set_up import ROOT


def make(root: Path, variable: str) -> subprocess.CompletedProcess[str]:
    """Run `make setup`, even if make started these tests."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith('MAKE')}
    kept.pop('PYTHON', None)
    return subprocess.run(
        ['make', 'setup', variable],
        cwd=root,
        env=kept,
        capture_output=True,
        text=True,
        check=False,
    )


def test_own_environment_is_told_what_it_lacks(tmp_path: Path) -> None:
    bare = tmp_path / 'bare'
    subprocess.run(
        [sys.executable, '-m', 'venv', '--without-pip', str(bare)], check=True
    )
    result = make(ROOT, f'PYTHON={bare}/bin/python')
    assert result.returncode != 0
    line = result.stderr.splitlines()[0]
    assert f'{bare}/bin/python' in line
    assert "No module named 'torch'" in line


def test_old_python_gets_one_line(project: Path, tmp_path: Path) -> None:
    old = tmp_path / 'python3'
    old.write_text('#!/bin/sh\nexit 1\n')
    old.chmod(0o755)
    shutil.copy(ROOT / 'Makefile', project)
    for name in (old, tmp_path / 'missing'):
        result = make(project, f'PYTHON3={name}')
        assert result.returncode != 0
        ours, of_make = result.stderr.splitlines()
        assert ours.startswith(f'setup: Python 3.11 is needed, and {name}')
        assert of_make.startswith('make: ***')
