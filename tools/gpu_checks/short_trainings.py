"""A short training in a separate process, and whether it passed."""

import json
import math
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

EPOCHS = 8
TOOLS = Path(__file__).resolve().parents[1]
TRAIN = TOOLS / 'train.py'
ENVIRONMENT = {'OMP_NUM_THREADS': '1', 'CUBLAS_WORKSPACE_CONFIG': ':4096:8'}

WHY = 300
"""Number of characters of an error to keep."""

Found = dict[str, Any]


@dataclass(frozen=True)
class Works:
    """Where and on what to train.

    Attributes:
        out (Path): Folder of ``works/`` and ``trainings/``.
        device (str): 'cuda' or 'cpu'.
    """

    out: Path
    device: str

    @property
    def data(self) -> Path:
        """Folder of the training data."""
        return self.out / 'data'

    def folder(self, name: str) -> Path:
        """The work directory of a training run."""
        return self.out / 'trainings' / name.replace(' ', '_')


def train(
    works: Works, name: str, config: str, *options: str, **more: str
) -> Found | None:
    """Train in a process; return what went wrong, if anything did."""
    work_dir = works.folder(name)
    command = command_of(work_dir, config, *options)
    environment = dict(os.environ) | ENVIRONMENT | more
    log = work_dir / 'train.log'
    with log.open('w') as file:
        code = subprocess.call(
            command, stdout=file, stderr=subprocess.STDOUT, env=environment
        )
    return failure_in(log) if code else None


def command_of(work_dir: Path, config: str, *options: str) -> list[str]:
    """The command of a training run; clear its folder unless it resumes."""
    if '--resume' not in options:
        shutil.rmtree(work_dir, ignore_errors=True)
    work_dir.mkdir(parents=True, exist_ok=True)
    path = work_dir.with_name(f'{work_dir.name}.py')
    path.write_text(config)
    command = [sys.executable, TRAIN, path, '--work-dir', work_dir, *options]
    return list(map(str, command))


def failure_in(log: Path) -> Found:
    """The error in the log of a failed training."""
    lines = [line for line in log.read_text().splitlines() if line.strip()]
    errors = [line for line in lines if 'Error' in line] or lines[-1:]
    return dict(passed=False, why=' '.join(errors[-1:])[:WHY])


def records_of(work_dir: Path) -> list[Found]:
    """The records in a run's ``epochs.jsonl``."""
    path = work_dir / 'ies' / 'epochs.jsonl'
    return [json.loads(line) for line in path.read_text().splitlines()]


def verdict(work_dir: Path) -> Found:
    """Check that all epochs ran, images were pruned, losses are finite."""
    records = records_of(work_dir)
    pruned = max(record['excluded'] for record in records)
    sums = [_sum(record) for record in records]
    finite = all(map(math.isfinite, sums))
    found: Found = dict(epochs=len(records), pruned=pruned)
    found |= dict(saved=records[-1]['saved'], loss=[sums[0], sums[-1]])
    problems = [
        text
        for text, wrong in (
            (f'{len(records)} epochs', len(records) != EPOCHS),
            ('nothing was pruned', pruned == 0),
            ('a loss is not finite', not finite),
        )
        if wrong
    ]
    return found | dict(passed=not problems, why='; '.join(problems))


def _sum(record: Found) -> float:
    values = [math.nan if v is None else v for v in record['loss'].values()]
    return float(sum(values))
