"""Modules of tools/paper.py, and synthetic runs of an experiment."""

import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest

from paper_runs import Made

ROOT = Path(__file__).resolve().parents[3]
TOOL = ROOT / 'tools' / 'paper.py'


@pytest.fixture(scope='module')
def part() -> Iterator[Callable[[str], ModuleType]]:
    """Imports a module of the tool by its name."""
    sys.path.append(str(TOOL.parent))
    yield lambda name: import_module(f'paper_experiments.{name}')
    sys.path.remove(str(TOOL.parent))


class Set:
    """An experiment with synthetic runs."""

    def __init__(self, part: Any, name: str, out: Path) -> None:
        scale = part('scales').SMALL
        self.experiment = part('declared').EXPERIMENTS[name]
        workshop = part('runner').Workshop(scale, out, out / 'images')
        self.made: dict[Any, Made] = {}
        self.seeds: dict[Any, list[Made]] = {}
        for number, job in enumerate(workshop.jobs_of(self.experiment)):
            hook = dict(job.training.hook) or None
            run = Made(job.work_dir, number, hook)
            self.made[job.training] = run
            self.seeds.setdefault(job.training, []).append(run)
            (job.work_dir / 'trained_to_the_end').write_text(job.said)
        self.runs = workshop.make(self.experiment)
        self.found = self.experiment.read(self.runs)

    def of(self, name: str) -> Made:
        """A training by its method's name, or by a prefix of it."""
        named = {t.method: run for t, run in self.made.items()}
        begun = [run for key, run in named.items() if key.startswith(name)]
        return named.get(name) or begun[0]


@pytest.fixture
def made(part: Any, tmp_path: Path) -> Callable[[str], Set]:
    return lambda name: Set(part, name, tmp_path / name)


STUB = '''"""In the place of tools/train.py."""
import sys
from pathlib import Path
work_dir = Path(sys.argv[sys.argv.index('--work-dir') + 1])
calls = work_dir.parent / 'calls'
with calls.open('a') as file:
    print(*sys.argv[1:], file=file)
sys.exit((work_dir.parent / 'fails').exists())
'''


@pytest.fixture
def trained(
    part: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Any, Path]:
    """``train_once`` with a training that records how it was called."""
    stub = tmp_path / 'stub.py'
    stub.write_text(STUB)
    module = import_module('ies_mm.commands.trainings')
    monkeypatch.setattr(module, 'TRAIN', (sys.executable, stub))
    return module.train_once, tmp_path


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """More images than needed, and some unrelated files."""
    for split, number in (('train', 102), ('test', 3)):
        for name in ('cat', 'dog'):
            folder = tmp_path / 'images' / split / name
            folder.mkdir(parents=True)
            for k in range(number):
                shade = np.full((4, 4, 3), k, dtype=np.uint8)
                cv2.imwrite(str(folder / f'{k:04}.jpg'), shade)
    (tmp_path / 'images' / 'other').mkdir()
    (tmp_path / 'images' / 'other' / 'x.jpg').touch()
    return tmp_path / 'images'
