"""Trainings in separate processes, each run once and kept."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path

from ies_mm.errors import ConfigError

TRAIN = (sys.executable, '-m', 'ies_mm', 'train')
BEGUN = 'training_begun'
ENDED = 'trained_to_the_end'
"""Files in a run's folder; each holds the settings of the training."""


def train_once(
    work_dir: Path,
    arguments: Sequence[object],
    said: str,
    threads: int = 1,
    resume: bool = False,
) -> bool:
    """Train, unless the folder already holds the same training.

    Args:
        work_dir (Path): The run's folder.
        arguments (sequence): Arguments of ``ies-mm train`` except the folder.
        said (str): Full settings of the training; kept with the run.
        threads (int): Threads of the process. Defaults to 1.
        resume (bool): Whether a run that was stopped resumes from its
            newest checkpoint. Defaults to False: it starts over.

    Returns:
        bool: Whether anything was trained.

    Raises:
        ConfigError: The folder holds another training.
        ConfigError: The training failed.
    """
    check_same(work_dir, said)
    if (work_dir / ENDED).exists():
        return False
    command = [*TRAIN, *arguments, '--work-dir', work_dir]
    if resume and (work_dir / BEGUN).exists():
        command.append('--resume')
    else:
        _empty(work_dir)
    work_dir.mkdir(parents=True, exist_ok=True)
    (work_dir / BEGUN).write_text(said)
    with (work_dir / 'output.log').open('a') as log:
        code = subprocess.call(
            list(map(str, command)),
            stdout=log,
            stderr=subprocess.STDOUT,
            env=os.environ | {'OMP_NUM_THREADS': str(threads)},
        )
    if code:
        raise ConfigError(f'a training run failed, see {log.name}')
    # One rename, so that no kill can leave the folder without a mark.
    (work_dir / BEGUN).replace(work_dir / ENDED)
    return True


def _empty(work_dir: Path) -> None:
    """Delete all but the mark, without which a folder is not ours."""
    for path in work_dir.glob('*'):
        if path.name == BEGUN:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def check_same(work_dir: Path, said: str) -> None:
    """Refuse a folder that holds another training, finished or not.

    Args:
        work_dir (Path): The run's folder; need not exist.
        said (str): Full settings of the training.

    Raises:
        ConfigError: It was trained with other settings, or by another command.
    """
    marks = [work_dir / name for name in (ENDED, BEGUN)]
    there = [mark for mark in marks if mark.exists()]
    if there:
        _compare(there[0], said)
    elif work_dir.exists() and any(work_dir.iterdir()):
        raise ConfigError(
            f'{work_dir} holds something other than a run of this '
            'command; move it away, or give another --out'
        )


def _compare(mark: Path, said: str) -> None:
    before = mark.read_text()
    if before == said:
        return
    pairs = zip_longest(before.splitlines(), said.splitlines(), fillvalue='')
    theirs, ours = next((a, b) for a, b in pairs if a != b)
    raise ConfigError(
        f'{mark.parent} was trained with other settings ({theirs}; now {ours})'
        '; give another --out'
    )
