"""What the set-up refuses before writing or downloading anything."""

import os
import shutil
import sys
from collections import namedtuple
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

from fake_set_up import ROOT, pins, set_up


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    path = ROOT / 'tools' / 'environment' / 'checks.py'
    spec = spec_from_file_location('environment.checks', path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.delenv('CXX', raising=False)
    return module


@pytest.mark.parametrize('version', [(3, 9), (3, 10), (3, 12)])
def test_wrong_python_is_named(
    checks: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    version: tuple[int, int],
) -> None:
    info = namedtuple('info', 'major minor micro')(*version, 0)
    monkeypatch.setattr(checks.sys, 'version_info', info)
    problem = checks.python_problem()
    assert f'this is {version[0]}.{version[1]};' in problem
    assert '\n' not in problem


def test_reference_python_is_accepted(
    checks: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = namedtuple('info', 'major minor micro')(3, 11, 0)
    monkeypatch.setattr(checks.sys, 'version_info', info)
    assert checks.python_problem() is None


def test_python_without_venv_is_refused(
    checks: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = namedtuple('info', 'major minor micro')(3, 11, 0)
    monkeypatch.setattr(checks.sys, 'version_info', info)
    monkeypatch.setattr(
        checks.importlib.util,
        'find_spec',
        lambda name: None if name == 'ensurepip' else name,
    )
    assert 'python3-venv' in checks.python_problem()


def test_disk_counts_what_is_there_already(
    checks: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    usage = namedtuple('usage', 'total used free')
    almost = checks.GIGABYTES * 2**30 - 2**20
    monkeypatch.setattr(
        checks.shutil, 'disk_usage', lambda path: usage(0, 0, almost)
    )
    problem = checks.disk_problem(tmp_path / '.venv')
    assert f'{checks.GIGABYTES} are needed' in problem
    (tmp_path / '.venv').mkdir()
    (tmp_path / '.venv' / 'half').write_bytes(b'x' * 2**21)
    assert checks.disk_problem(tmp_path / '.venv') is None


@pytest.mark.skipif(
    shutil.which('c++') is None, reason='there is no compiler to be found'
)
def test_compiler_is_tried(
    checks: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert checks.compiler_problem() is None
    broken = tmp_path / 'c++'
    broken.write_text('#!/bin/sh\nexit 1\n')
    broken.chmod(0o755)
    monkeypatch.setenv('CXX', str(broken))
    assert str(broken) in checks.compiler_problem()


def test_missing_headers_are_named(
    checks: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(
        checks.sysconfig, 'get_path', lambda name: str(tmp_path)
    )
    assert 'python3-dev' in checks.compiler_problem()


@pytest.mark.parametrize(
    ('nvcc', 'visible', 'refused'),
    [
        ('', None, True),
        ('Cuda compilation tools, release 12.4, V12.4', None, True),
        ('Cuda compilation tools, release 13.0, V13.0', None, False),
        ('', '', False),
    ],
)
def test_gpu_needs_its_compiler(
    checks: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    nvcc: str,
    visible: str | None,
    refused: bool,
) -> None:
    monkeypatch.delenv('CUDA_VISIBLE_DEVICES', raising=False)
    if visible is not None:
        monkeypatch.setenv('CUDA_VISIBLE_DEVICES', visible)
    monkeypatch.setattr(
        checks,
        'output_of',
        lambda command: 'GPU 0' if command[0] == 'nvidia-smi' else nvcc,
    )
    problem = checks.cuda_problem(pins(ROOT))
    assert (problem is not None) == refused


@pytest.mark.skipif(
    sys.version_info[:2] != (3, 11), reason='refused for its Python first'
)
def test_without_compiler_nothing_is_made(
    project: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv('PATH', str(tmp_path))
    # If it is not refused, it must not download anything.
    monkeypatch.setenv('PIP_NO_INDEX', '1')
    monkeypatch.setenv('PIP_CONFIG_FILE', os.devnull)
    monkeypatch.setenv('PIP_FIND_LINKS', '')
    before = sorted(project.rglob('*'))
    result = set_up(project)
    assert result.returncode == 1
    [line] = result.stderr.splitlines()
    assert line.startswith('setup: `c++` does not compile')
    made = [p for p in project.rglob('*') if '__pycache__' not in p.parts]
    assert sorted(made) == before
    assert not (tmp_path / 'cache').exists()
