#!/usr/bin/env python3
"""Set the reference environment up in .venv; `make setup` calls this.

Runs with the standard library alone. Every step is verified by an import
before it counts as done, so an interrupted set-up goes on where it was.
"""

import argparse
import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import NoReturn

from environment.checks import first_problem

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / '.venv'
CONSTRAINTS = ROOT / 'requirements' / 'constraints.txt'
PAUSE = 15
"""Seconds between two lines about a slow step."""
MEMORY_OF_A_JOB = 2 * 2**30
"""Bytes that one compilation of mmcv needs, rounded up."""
BUILT_FOR = """
import os, sys, torch
gpu = 'cpu'
if torch.cuda.is_available():
    gpu = 'sm%d%d' % torch.cuda.get_device_capability()
python = sys.implementation.cache_tag
print('torch' + torch.__version__, python, os.uname().machine, gpu, sep='-')
"""


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
        'mmcv, compiled once (usually 10 minutes on 2 cores)',
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
        'ies_mm itself, with tools for tests, reports and the site (seconds)',
        ('--no-build-isolation', '-e', '.[dev,report,docs]'),
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
    elif not all(map(done, STEPS)):
        # Before the lock, which is the first file that is written.
        if problem := first_problem(VENV, CONSTRAINTS):
            fail(problem)
        with (ROOT / '.setup.lock').open('a') as lock:
            take(lock.fileno())
            interruptible(set_up)


def interruptible(work: Callable[[], None]) -> None:
    """Let a kill or a closed terminal end the work as Ctrl-C does."""

    def interrupt(number: int, frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    try:
        work()
    except KeyboardInterrupt:
        fail('interrupted; the next call goes on with this step', 130)


def check_own_environment() -> None:
    """Verify an environment that the user brought."""
    verify = '\n'.join(step.verify for step in STEPS[1:])
    result = subprocess.run(
        [sys.executable, '-c', verify],
        capture_output=True,
        check=False,
        text=True,
        cwd=ROOT,
    )
    if result.returncode:
        reason = (result.stderr.strip() or 'it crashed').splitlines()[-1]
        fail(
            f'{sys.executable} does not have all that is needed ({reason}); '
            'install it there (docs/install.md), or call make without PYTHON='
        )


def set_up() -> None:
    """Run the missing steps in order."""
    total = len(STEPS) + 1
    if not has_venv():
        print(f'[1/{total}] virtual environment in .venv', flush=True)
        remove_venv()
        logs().mkdir(parents=True)
        run('venv', [sys.executable, '-m', 'venv', str(VENV)])
    use_scratch(logs() / 'tmp')
    for number, step in enumerate(STEPS, start=2):
        if not done(step):
            print(f'[{number}/{total}] {step.what}', flush=True)
            install(step)
    shutil.rmtree(logs() / 'tmp')
    print('the environment is ready: .venv', flush=True)


def remove_venv() -> None:
    """Make room for a new .venv, if the old one was made here."""
    if VENV.exists() and not logs().exists():
        fail(
            f'{VENV} does not work with Python '
            f'{".".join(map(str, sys.version_info[:2]))} and was not made '
            'by `make setup`; move it away'
        )
    shutil.rmtree(VENV, ignore_errors=True)


def has_venv() -> bool:
    """Whether .venv is whole and of the Python that runs this."""
    version = tuple(sys.version_info[:2])
    verify = f'import pip, sys; assert sys.version_info[:2] == {version}'
    return works(Step('venv', '', (), verify), python())


def use_scratch(folder: Path) -> None:
    """Unpack and build beside .venv: /tmp may be small, or in memory."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    os.environ['TMPDIR'] = str(folder)


def install(step: Step) -> None:
    """Install a step, once more from scratch if it does not import."""
    # A step after this one may have been built against another version.
    for later in STEPS[STEPS.index(step) :]:
        stamp(later).unlink(missing_ok=True)
    remove_halves()
    for again in ((), ('--force-reinstall', '--no-cache-dir')):
        if step.name == 'mmcv':
            install_mmcv(rebuild=bool(again))
        else:
            pip(step.name, 'install', *again, *step.install)
        if works(step, python()):
            stamp(step).write_text(key())
            return
    fail(
        f'`{step.verify}` fails after the installation; log: {log(step.name)}'
    )


def remove_halves() -> None:
    """Forget distributions whose installation was interrupted.

    pip writes INSTALLER last. Without it, it would take the rest for an
    installed distribution, or refuse to replace it.
    """
    for info in VENV.glob('lib/python*/site-packages/*.dist-info'):
        if not (info / 'INSTALLER').exists():
            shutil.rmtree(info)
    for left in VENV.glob('lib/python*/site-packages/~*'):
        shutil.rmtree(left, ignore_errors=True)


def install_mmcv(rebuild: bool) -> None:
    """Install the compiled mmcv, and what it needs."""
    wheel = str(mmcv_wheel(rebuild))
    # The one that is there may have the same version, and another torch.
    pip('mmcv', 'install', '--force-reinstall', '--no-deps', wheel)
    pip('mmcv', 'install', 'onedl-mmcv')


def mmcv_wheel(rebuild: bool) -> Path:
    """The compiled mmcv, from the cache or built now.

    pip's own cache does not ask which torch a wheel was built for; this one
    does, and is shared by all clones.
    """
    cache = Path(os.environ.get('IES_MM_CACHE') or '~/.cache/ies_mm')
    folder = cache.expanduser().absolute() / 'wheels' / built_for()
    version = pinned('onedl-mmcv')
    kept = sorted(folder.glob(f'onedl_mmcv-{version}-*.whl'))
    if kept and not rebuild:
        return kept[0]
    folder.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault('MAX_JOBS', str(jobs()))
    # Inside the cache: renaming is atomic there.
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        pip(
            *('mmcv', 'wheel', '-v', '--no-deps', '--no-build-isolation'),
            *('--no-cache-dir', '--no-binary', 'onedl-mmcv'),
            *('-w', scratch, 'onedl-mmcv'),
            progress=compiled,
        )
        [wheel] = Path(scratch).glob('*.whl')
        return wheel.rename(folder / wheel.name)


def built_for() -> str:
    """Torch, Python, machine and GPU, on which a compiled mmcv depends."""
    command = [python(), '-c', BUILT_FOR]
    return subprocess.check_output(command, text=True).strip()


def jobs() -> int:
    """How many files to compile at once without running out of memory."""
    memory = os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE')
    return max(1, min(os.cpu_count() or 1, memory // MEMORY_OF_A_JOB))


def compiled(text: str) -> str:
    """Ninja's count of compiled files, read off the log."""
    counts = re.findall(r'^\s*\[(\d+)/(\d+)\]', text, re.MULTILINE)
    return 'file {} of {}'.format(*counts[-1]) if counts else 'preparing'


def last_line(text: str) -> str:
    """What pip said last, without folders and addresses."""
    lines = text.split('\n')
    said = next((line for line in reversed(lines) if line.strip()), 'going on')
    return re.sub(r'\S*/', '', said).strip()[:60]


def pip(
    name: str, *arguments: str, progress: Callable[[str], str] = last_line
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
    progress: Callable[[str], str] = last_line,
) -> None:
    """Run a command into the step's log, saying how far it is."""
    started = time.monotonic()
    with log(name).open('a') as output:
        begin = output.tell()
        process = subprocess.Popen(
            command,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
            # It keeps the lock, should this process be killed alone.
            close_fds=False,
            start_new_session=True,
        )
        try:
            wait(process, started, lambda: progress(written(name, begin)))
        except BaseException:
            end(process)
            raise
    if process.returncode:
        tail = written(name, begin).splitlines()[-12:]
        print('\n'.join(tail), file=sys.stderr)
        fail(f'step {name} failed (above: the end of {log(name)})')


def wait(
    process: subprocess.Popen[bytes], started: float, say: Callable[[], str]
) -> None:
    """Wait for the end, and say every so often that the step goes on."""
    while process.poll() is None:
        try:
            process.wait(timeout=PAUSE)
        except subprocess.TimeoutExpired:
            minutes, seconds = divmod(int(time.monotonic() - started), 60)
            print(f'      {minutes}:{seconds:02} {say()}', flush=True)


def end(process: subprocess.Popen[bytes]) -> None:
    """End a command with all that it started, compilers included."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=5)


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
    if not Path(python()).exists() or not stamp(step).exists():
        return False
    return stamp(step).read_text() == key()


def key() -> str:
    """What a finished step depends on; an environment cannot be moved."""
    content = CONSTRAINTS.read_bytes() + str(VENV).encode()
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


def written(name: str, begin: int) -> str:
    """What a step's log says from a position on."""
    with log(name).open('rb') as file:
        file.seek(begin)
        return file.read().decode(errors='replace')


def stamp(step: Step) -> Path:
    """File that says that a step is done."""
    return logs() / f'{step.name}.done'


def take(lock: int) -> None:
    """Let one set-up run at a time."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        fail('another set-up is running in this folder; wait for it')
    os.set_inheritable(lock, True)


def fail(message: str, status: int = 1) -> NoReturn:
    """One line, and the exit status."""
    print(f'setup: {message}', file=sys.stderr)
    sys.exit(status)


if __name__ == '__main__':
    main()
