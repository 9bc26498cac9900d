"""The set-up: what it refuses, and that it goes on where it was.

Nothing is downloaded: in a copy of the two programs pip is a fake, which
writes down what it was asked for and fails when told to.
"""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import namedtuple
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
STEPS = ['build-tools', 'torch', 'mmcv', 'openmmlab', 'ies-mm']

# Takes the place of .venv/bin/python. With a file named fail-NAME or
# slow-NAME beside it, the pip call or import that speaks of NAME does so.
FAKE_PYTHON = """#!{python}
import os, pathlib, sys, time
here = pathlib.Path(__file__).parent
said = ' '.join(sys.argv[1:])
with open(here / 'calls', 'a') as calls:
    print(said.replace(chr(10), ' '), file=calls)
for flag in here.glob('fail-*'):
    if flag.name[5:] in said and '-m pip' in said:
        print('ERROR: no such thing')
        sys.exit(1)
for flag in here.glob('broken-*'):
    if flag.name[7:] in said and '-m pip' not in said:
        # It works after a second installation, made from scratch.
        if not ('from mmcv' in said and (here / 'repaired').exists()):
            sys.exit(1)
for flag in here.glob('slow-*'):
    if flag.name[5:] in said and '-m pip' in said:
        (here / 'tmp').write_text(str(os.getpid()))
        (here / 'tmp').rename(here / 'reached')
        time.sleep(60)
if 'torch.__version__' in said:
    print('torch0-cpython-machine-cpu')
if 'pip wheel' in said:
    folder = pathlib.Path(sys.argv[sys.argv.index('-w') + 1])
    (folder / 'onedl_mmcv-2.3.6-any.whl').write_text('x')
    if (here / 'broken-mmcv.ops').exists() and (here / 'once').exists():
        (here / 'repaired').touch()
    (here / 'once').touch()
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of which the set-up is all there is."""
    root = tmp_path / 'project'
    (root / 'tools').mkdir(parents=True)
    (root / 'requirements').mkdir()
    shutil.copy(ROOT / 'tools' / 'setup_env.py', root / 'tools')
    room = Path('tools', 'environment')
    shutil.copytree(ROOT / room, root / room)
    shutil.copy(ROOT / 'requirements' / 'constraints.txt', pins(root))
    monkeypatch.setenv('IES_MM_CACHE', str(tmp_path / 'cache'))
    monkeypatch.delenv('CXX', raising=False)
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '')
    return root


@pytest.fixture
def with_venv(project: Path) -> Path:
    """The project with a .venv whose Python is the fake."""
    folder = project / '.venv' / 'bin'
    folder.mkdir(parents=True)
    fake = folder / 'python'
    fake.write_text(FAKE_PYTHON.format(python=sys.executable))
    fake.chmod(0o755)
    # The test's machine need not have the room or the compiler.
    lenient = project / 'tools' / 'environment' / 'checks.py'
    lenient.write_text('def first_problem(venv, constraints): return None\n')
    return project


def pins(root: Path) -> Path:
    return root / 'requirements' / 'constraints.txt'


def command(root: Path) -> list[str]:
    return [sys.executable, str(root / 'tools' / 'setup_env.py')]


def set_up(root: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(root), capture_output=True, text=True, timeout=60, check=False
    )


def flag(root: Path, name: str) -> Path:
    return root / '.venv' / 'bin' / name


def calls(root: Path) -> list[str]:
    """What the fake was asked since the last time."""
    file = flag(root, 'calls')
    lines = file.read_text().splitlines() if file.exists() else []
    file.unlink(missing_ok=True)
    return lines


def stamps(root: Path) -> list[str]:
    found = {path.stem for path in (root / '.venv').glob('setup/*.done')}
    return [step for step in STEPS if step in found]


def installed(lines: list[str]) -> list[str]:
    """The steps whose packages were installed."""
    text = '\n'.join(line for line in lines if 'pip install' in line)
    words = ['ninja', 'torchvision', 'onedl_mmcv', 'onedl-mmdet', '-e .']
    return [
        step for step, word in zip(STEPS, words, strict=True) if word in text
    ]


# what is refused


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
    # Should it not be refused, it must not go and download.
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


# going on where it was


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
    # The lock is free only if the fake pip is gone too.
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


def test_a_foreign_venv_is_never_removed(with_venv: Path) -> None:
    flag(with_venv, 'python').unlink()
    mine = with_venv / '.venv' / 'mine'
    mine.touch()
    result = set_up(with_venv)
    assert result.returncode == 1
    assert 'was not made by `make setup`' in result.stderr
    assert mine.exists()


# mmcv


def test_mmcv_is_built_once_for_all_clones(
    with_venv: Path, tmp_path: Path
) -> None:
    other = tmp_path / 'clone'
    shutil.copytree(with_venv, other)
    set_up(with_venv)
    assert sum('pip wheel' in line for line in calls(with_venv)) == 1
    kept = list((tmp_path / 'cache').rglob('*'))
    assert [p.name for p in kept if p.is_file()] == [
        'onedl_mmcv-2.3.6-any.whl'
    ]
    assert set_up(other).returncode == 0
    assert not any('pip wheel' in line for line in calls(other))


def test_mmcv_without_its_ops_is_built_again(with_venv: Path) -> None:
    flag(with_venv, 'broken-mmcv.ops').touch()
    assert set_up(with_venv).returncode == 0
    builds = [line for line in calls(with_venv) if 'pip wheel' in line]
    assert len(builds) == 2
    assert all('--no-cache-dir' in line for line in builds)


def test_what_never_imports_is_not_done(with_venv: Path) -> None:
    flag(with_venv, 'broken-torchvision').touch()
    result = set_up(with_venv)
    assert result.returncode == 1
    assert '`import torch, torchvision` fails' in result.stderr
    assert stamps(with_venv) == STEPS[:1]
    assert any('--force-reinstall' in line for line in calls(with_venv))


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


def wait_for(path: Path) -> None:
    for _ in range(200):
        if path.exists():
            return
        time.sleep(0.1)
    raise AssertionError(f'{path} never came')


# an environment of the user's own


def make(root: Path, variable: str) -> subprocess.CompletedProcess[str]:
    """`make setup`, also where these tests were started by make."""
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
