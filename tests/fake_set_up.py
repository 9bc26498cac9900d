"""The set-up, called as make does, in a project with a fake pip.

The fake logs its calls and fails when told to, so nothing
is downloaded.
"""

import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
STEPS = ['build-tools', 'torch', 'mmcv', 'openmmlab', 'ies-mm']

# Replaces .venv/bin/python. If there is a file named fail-NAME or
# slow-NAME next to it, the pip call or import that mentions NAME does so.
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
    """The calls of the fake since the last time."""
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


def wait_for(path: Path) -> None:
    for _ in range(200):
        if path.exists():
            return
        time.sleep(0.1)
    raise AssertionError(f'{path} never came')
