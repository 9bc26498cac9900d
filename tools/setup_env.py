#!/usr/bin/env python3
"""Set the reference environment up in .venv; `make setup` calls this.

Runs with the standard library alone. Every step is verified by an import
before it counts as done, so an interrupted set-up goes on where it was.
"""

import argparse
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / '.venv'
CONSTRAINTS = ROOT / 'requirements' / 'constraints.txt'
REFERENCE = (3, 11)
GIGABYTES = 12
"""Space asked for: 6 for .venv, the rest while downloading and compiling."""


@dataclass(frozen=True)
class Step:
    """One part of the set-up.

    Args:
        name (str): Also the name of its stamp and log.
        what (str): What the user reads.
        install (tuple of str): Arguments of ``pip install``.
        verify (str): Python code that fails where the step is not done.
    """

    name: str
    what: str
    install: tuple[str, ...]
    verify: str


STEPS = (
    Step(
        'build-tools',
        'build tools (seconds)',
        ('setuptools', 'wheel', 'ninja', 'packaging', 'psutil'),
        'import setuptools, wheel, ninja, packaging, psutil',
    ),
    Step(
        'torch',
        'PyTorch (usually 1 to 5 minutes: gigabytes to download)',
        ('torch', 'torchvision'),
        'import torch, torchvision',
    ),
    Step(
        'mmcv',
        'mmcv, compiled once (usually 8 minutes on 2 cores)',
        (),
        'from mmcv.ops import nms',
    ),
    Step(
        'openmmlab',
        'mmengine, mmdet, mmseg, mmpretrain (usually 1 minute)',
        (
            'onedl-mmengine',
            'onedl-mmdetection',
            'onedl-mmsegmentation',
            'onedl-mmpretrain',
        ),
        'import mmengine, mmdet, mmseg, mmpretrain',
    ),
    Step(
        'ies-mm',
        'ies_mm itself, with tools for tests and reports (seconds)',
        ('--no-build-isolation', '-e', '.[dev,report]'),
        'import ies_mm.engine, pytest, hypothesis, ruff, mypy, matplotlib',
    ),
)


def main() -> None:
    """Set up what is missing, or check the running interpreter."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument(
        '--check',
        action='store_true',
        help='check that the running Python has what is needed, and no more',
    )
    if arguments.parse_args().check:
        check_own_environment()
        return
    todo = [step for step in STEPS if not done(step)]
    if todo:
        with open(ROOT / '.setup.lock', 'w') as lock:
            take(lock.fileno())
            preflight()
            set_up(todo)


def check_own_environment() -> None:
    """Verify an environment that the user brought."""
    for step in STEPS[1:]:
        if not works(step, sys.executable):
            fail(
                f'{sys.executable} cannot do `{step.verify}`; install that '
                'there (docs/install.md), or call make without PYTHON='
            )


def preflight() -> None:
    """Refuse what cannot work, before anything is downloaded."""
    if sys.version_info[:2] != REFERENCE:
        found = '.'.join(map(str, sys.version_info[:2]))
        fail(
            f'the reference environment is pinned for Python 3.11, found '
            f'{found}; call `make setup PYTHON3=/path/to/python3.11`, or use '
            'an environment of your own: `make test PYTHON=/path/to/python`'
        )
    free = shutil.disk_usage(ROOT).free / 2**30
    if free < GIGABYTES:
        fail(
            f'{free:.1f} GiB are free at {ROOT}, {GIGABYTES} are needed; '
            'make room or clone the project to another disk'
        )
    if not compiles():
        fail(
            'mmcv is compiled here, which needs a C++ compiler and the '
            "headers of Python, and a test program with '#include "
            "<Python.h>' did not compile; install g++ and python3-dev"
        )


def compiles() -> bool:
    """Whether a C++ program that includes Python.h compiles."""
    compiler = os.environ.get('CXX') or shutil.which('g++') or 'c++'
    include = sysconfig.get_path('include')
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, 'probe.cpp')
        source.write_text('#include <vector>\n#include <Python.h>\n')
        command = [*compiler.split(), '-c', str(source), f'-I{include}']
        try:
            result = subprocess.run(
                command, cwd=folder, capture_output=True, check=False
            )
        except OSError:
            return False
    return result.returncode == 0


def set_up(todo: list[Step]) -> None:
    """Run the missing steps in order."""
    logs().mkdir(parents=True, exist_ok=True)
    if not works(Step('venv', '', (), 'import pip'), python()):
        print(f'[1/{len(STEPS) + 1}] virtual environment in .venv', flush=True)
        run('venv', [sys.executable, '-m', 'venv', str(VENV)])
    for number, step in enumerate(STEPS, start=2):
        if step in todo:
            print(f'[{number}/{len(STEPS) + 1}] {step.what}', flush=True)
            install(step)
    print('the environment is ready: .venv', flush=True)


def install(step: Step) -> None:
    """Install a step, once more from scratch if it does not import."""
    # A step after this one may have been built against another version.
    for later in STEPS[STEPS.index(step) :]:
        stamp(later).unlink(missing_ok=True)
    for again in ((), ('--force-reinstall', '--no-cache-dir')):
        if step.name == 'mmcv':
            packages = ('--no-deps', str(mmcv_wheel(rebuild=bool(again))))
            pip(step.name, 'install', *again, *packages)
            pip(step.name, 'install', 'onedl-mmcv')
        else:
            pip(step.name, 'install', *again, *step.install)
        if works(step, python()):
            stamp(step).write_text(key())
            return
    fail(
        f'`{step.verify}` fails after the installation; log: {log(step.name)}'
    )


def mmcv_wheel(rebuild: bool) -> Path:
    """The compiled mmcv, from the cache or built now.

    pip's own cache does not ask which torch a wheel was built for; this one
    does, and is shared by all clones.
    """
    cache = Path(os.environ.get('IES_MM_CACHE', '~/.cache/ies_mm'))
    tag = f'torch{pinned("torch")}-{sys.implementation.cache_tag}'
    folder = cache.expanduser() / 'wheels' / f'{tag}-{os.uname().machine}'
    version = pinned('onedl-mmcv')
    kept = sorted(folder.glob(f'onedl_mmcv-{version}-*.whl'))
    if kept and not rebuild:
        return kept[0]
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        os.environ.setdefault('MAX_JOBS', str(os.cpu_count() or 1))
        pip(
            *('mmcv', 'wheel', '-v', '--no-deps', '--no-build-isolation'),
            *('--no-cache-dir', '--no-binary', 'onedl-mmcv'),
            *('-w', scratch, 'onedl-mmcv'),
            progress=compiled,
        )
        [wheel] = Path(scratch).glob('*.whl')
        return wheel.rename(folder / wheel.name)


def compiled(text: str) -> str:
    """Ninja's count of compiled files, read off the log."""
    counts = re.findall(r'\[(\d+/\d+)\]', text)
    return f'file {counts[-1]}' if counts else 'preparing'


def pip(
    name: str, *arguments: str, progress: Callable[[str], str] | None = None
) -> None:
    """Call the environment's pip under the constraints."""
    command, *rest = arguments
    run(
        name,
        [python(), '-m', 'pip', command, '-c', str(CONSTRAINTS), *rest],
        progress,
    )


def run(
    name: str,
    command: list[str],
    progress: Callable[[str], str] | None = None,
) -> None:
    """Run a command into the step's log, saying how far it is."""
    started = time.monotonic()
    with open(log(name), 'a') as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, cwd=ROOT
        )
        try:
            while process.poll() is None:
                show(started, progress, name)
        except BaseException:
            process.terminate()
            process.wait()
            raise
    if process.returncode:
        tail = log(name).read_text().splitlines()[-12:]
        print('\n'.join(tail), file=sys.stderr)
        fail(f'step {name} failed (above: the end of {log(name)})')


def show(
    started: float, progress: Callable[[str], str] | None, name: str
) -> None:
    """Wait, and say every half minute that the step goes on."""
    before = time.monotonic() - started
    time.sleep(0.5)
    seconds = time.monotonic() - started
    if int(seconds / 30) > int(before / 30):
        how_far = progress(log(name).read_text()) if progress else 'going on'
        print(f'      {how_far}, {int(seconds)} s', flush=True)


def works(step: Step, interpreter: str) -> bool:
    """Whether the step's import succeeds."""
    if not Path(interpreter).exists():
        return False
    command = [interpreter, '-c', step.verify]
    result = subprocess.run(
        command, capture_output=True, check=False, cwd=ROOT
    )
    return result.returncode == 0


def done(step: Step) -> bool:
    """Whether the step was finished under these constraints."""
    return stamp(step).exists() and stamp(step).read_text() == key()


def key() -> str:
    """What a finished step depends on."""
    content = CONSTRAINTS.read_bytes() + sys.version.encode()
    return hashlib.sha256(content).hexdigest()


def pinned(package: str) -> str:
    """The version of a package in the constraints."""
    lines = CONSTRAINTS.read_text().splitlines()
    return next(
        line.split('==')[1]
        for line in lines
        if line.startswith(f'{package}==')
    )


def python() -> str:
    """The environment's interpreter."""
    return str(VENV / 'bin' / 'python')


def logs() -> Path:
    """Folder of stamps and logs."""
    return VENV / 'setup'


def log(name: str) -> Path:
    """Log file of a step."""
    return logs() / f'{name}.log'


def stamp(step: Step) -> Path:
    """File that says that a step is done."""
    return logs() / f'{step.name}.done'


def take(lock: int) -> None:
    """Let one set-up run at a time."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        fail('another set-up is running in this folder; wait for it')


def fail(message: str) -> NoReturn:
    """One line, exit status 1."""
    print(f'setup: {message}', file=sys.stderr)
    sys.exit(1)


if __name__ == '__main__':
    main()
