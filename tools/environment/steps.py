"""The steps of the set-up, and which of them are done."""

import hashlib
import subprocess
from dataclasses import dataclass
from pathlib import Path

from environment.places import CONSTRAINTS, ROOT, VENV, logs, python


@dataclass(frozen=True)
class Step:
    """One part of the set-up.

    Args:
        name (str): Name of the step, its stamp and its log.
        what (str): Description for the user.
        install (tuple of str): Arguments of ``pip install``.
        verify (str): Python code that fails if the step is not done.
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
        'ies_mm itself, with tools for tests and reports (seconds)',
        ('--no-build-isolation', '-e', '.[dev,report,docs]'),
        'import ies_mm.engine, pytest, hypothesis, ruff, mypy, matplotlib',
    ),
)


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
    """Whether the step was finished with these constraints."""
    if not Path(python()).exists() or not stamp(step).exists():
        return False
    return stamp(step).read_text() == key()


def key() -> str:
    """What a finished step depends on, including the path of .venv."""
    content = CONSTRAINTS.read_bytes() + str(VENV).encode()
    return hashlib.sha256(content).hexdigest()


def stamp(step: Step) -> Path:
    """The file that marks a step as done."""
    return logs() / f'{step.name}.done'
