"""Running the missing steps, in order."""

import os
import shutil
import sys
from pathlib import Path

from environment.commands import pip, run
from environment.fail import fail
from environment.mmcv_wheel import install_mmcv
from environment.places import VENV, log, logs, python
from environment.steps import STEPS, Step, done, key, stamp, works


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
    """Remove the old .venv, if `make setup` created it."""
    if VENV.exists() and not logs().exists():
        fail(
            f'{VENV} does not work with Python '
            f'{".".join(map(str, sys.version_info[:2]))} and was not created '
            'by `make setup`; move it away'
        )
    shutil.rmtree(VENV, ignore_errors=True)


def has_venv() -> bool:
    """Whether .venv works and has the Python version that runs this."""
    version = tuple(sys.version_info[:2])
    verify = f'import pip, sys; assert sys.version_info[:2] == {version}'
    return works(Step('venv', '', (), verify), python())


def use_scratch(folder: Path) -> None:
    """Unpack and build inside .venv: /tmp may be small, or in memory."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    os.environ['TMPDIR'] = str(folder)


def install(step: Step) -> None:
    """Install a step; if it does not import, once more from scratch."""
    # Later steps may have been built against another version.
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
    """Remove distributions whose installation was interrupted.

    pip writes INSTALLER last. If that file is missing, pip would still take
    the rest for an installed distribution, or refuse to replace it.
    """
    for info in VENV.glob('lib/python*/site-packages/*.dist-info'):
        if not (info / 'INSTALLER').exists():
            shutil.rmtree(info)
    for left in VENV.glob('lib/python*/site-packages/~*'):
        shutil.rmtree(left, ignore_errors=True)
