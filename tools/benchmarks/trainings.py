"""Whole trainings of every method, seed by seed, in turn."""

import json
import math
import os
import re
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config

from ies_mm.errors import ConfigError
from ies_mm.report.comparing.comparison import HEADLINES
from ies_mm.report.reading.runs import read_run
from ies_mm.report.records import read_epochs
from ies_mm.training.preflight import selection_hooks

HEADINGS = (
    '', 'metric', 'saved', 'speed-up', 'limit', 'share of the limit',
    'the same in CPU time', 'scoring / training an image', 'between epochs',
)  # fmt: skip
KEEP_MEMORY = {
    'MALLOC_MMAP_THRESHOLD_': str(32 << 20),
    'MALLOC_TRIM_THRESHOLD_': str(16 << 30),
}
"""Has glibc keep freed memory: docs/performance.md says what it does else."""
PLAIN = 'plain'
TRAIN = Path(__file__).parents[1] / 'train.py'


def methods(saved: float) -> dict[str, dict[str, Any] | None]:
    """Name -> hook; all but the plain run and InfoBatch save as much."""
    budget = dict(type='Budget', saved=saved)
    ies = dict(type='IESHook', delta=budget)
    spaced = dict(type='Spaced', cap=8)
    by_training = spaced | dict(by='training')
    return {
        PLAIN: None,
        'IES': ies,
        'IES, every 5': ies | dict(refresh_interval=5),
        'IES, spaced': ies | dict(refresh_interval=spaced),
        'IES, spaced, by training': ies | dict(refresh_interval=by_training),
        'soft IES': dict(type='SoftIESHook', saved=saved),
        'InfoBatch': dict(type='InfoBatchHook'),
        'random removal': dict(
            type='RandomRemovalHook', ratio=budget, begin=6
        ),
    }


@dataclass(frozen=True)
class Training:
    """What one training took and gave.

    Attributes:
        method (str): Its name among :func:`methods`.
        seed (int): Of the training.
        wall (float): Seconds without validations.
        cpu (float): CPU seconds of the main process in them.
        saved (float): Excluded instance-epochs / all.
        metric (float): At the end.
        scoring_cost (float): Scoring / training an image; NaN without.
        between (float): Waiting for first batches, collecting, deciding and
            recording, as a share of the epochs; NaN for a plain run.
    """

    method: str
    seed: int
    wall: float
    cpu: float
    saved: float
    metric: float
    scoring_cost: float
    between: float


@dataclass(frozen=True)
class Plan:
    """Which trainings to run.

    Args:
        config (Path): A plain config that counts in epochs.
        out (Path): Folder of the work directories.
        seeds (sequence of int): Of the trainings.
        saved (float): What the methods are asked to save.
        methods (sequence of str): Names among :func:`methods`.

    Raises:
        ConfigError: There is no such config or method, or the config selects
            images itself, or counts in iterations.
    """

    config: Path
    out: Path
    seeds: Sequence[int]
    saved: float
    methods: Sequence[str]

    def __post_init__(self) -> None:
        if not self.config.is_file():
            raise ConfigError(f'there is no config file {self.config}')
        cfg = Config.fromfile(self.config)
        if list(selection_hooks(cfg)):
            raise ConfigError(
                f'{self.config} selects images itself; give its plain twin'
            )
        if 'max_epochs' not in cfg.train_cfg:
            raise ConfigError(
                f'{self.config} counts in iterations; give one with max_epochs'
            )
        for name in self.methods:
            if name not in methods(self.saved):
                raise ConfigError(
                    f'there is no method {name!r}; give some of '
                    f'{", ".join(map(repr, methods(self.saved)))}'
                )


def bench_trainings(plan: Plan) -> None:
    """Train what has not been trained so already, and print a table.

    Raises:
        ConfigError: A training failed.
    """
    hooks = methods(plan.saved)
    names = [PLAIN, *(name for name in plan.methods if name != PLAIN)]
    done = []
    for turn, seed in enumerate(plan.seeds):
        start = turn % len(names)
        # Another one comes first each time: the machine's speed drifts.
        for name in names[start:] + names[:start]:
            work_dir = plan.out / f'{re.sub("[ ,]+", "_", name)}_{seed}'
            _train(_child(plan.config, seed, hooks[name]), work_dir)
            done.append(_read(work_dir, name, seed))
            print(done[-1], file=sys.stderr, flush=True)
    print(_table(done))


def _train(config: str, work_dir: Path) -> None:
    """One process for each, as a user starts it."""
    # Beside it: MMEngine writes the whole config into it by the same name.
    path = work_dir.with_name(f'{work_dir.name}.py')
    seconds = work_dir / 'seconds.json'
    if seconds.exists() and path.read_text() == config:
        return
    seconds.unlink(missing_ok=True)
    work_dir.mkdir(parents=True, exist_ok=True)
    path.write_text(config)
    with (work_dir / 'bench.log').open('w') as log:
        code = subprocess.call(
            [sys.executable, TRAIN, path, '--work-dir', work_dir],
            stdout=log,
            stderr=subprocess.STDOUT,
            env=KEEP_MEMORY | os.environ,
        )
    if code:
        raise ConfigError(f'the training failed, see {log.name}')


def _child(config: Path, seed: int, hook: dict[str, Any] | None) -> str:
    """A config that adds clock, seed and hook, and validates at the end."""
    base = Config.fromfile(config)
    imports = [
        *base.get('custom_imports', {}).get('imports', []),
        'benchmarks.clock',
        'ies_mm.engine',
    ]
    hooks: dict[str, Any] = {'seconds': dict(type='TrainingSeconds')}
    lines = [f'_base_ = {str(config.resolve())!r}']
    if hook is not None:
        hooks['ies'] = hook
        sampler = dict(sampler=dict(type='IESSampler'))
        lines.append(f'train_dataloader = {sampler!r}')
    lines += [
        f'custom_imports = dict(imports={imports!r})',
        f'default_hooks = {hooks!r}',
        f'randomness = dict(seed={seed})',
        f'train_cfg = dict(val_interval={base.train_cfg.max_epochs})',
    ]
    return '\n'.join(lines) + '\n'


def _read(work_dir: Path, method: str, seed: int) -> Training:
    seconds = json.loads((work_dir / 'seconds.json').read_text())
    records = read_epochs(work_dir)

    def total(*keys: str) -> float:
        return sum(
            record[f'{key}_seconds'] for record in records for key in keys
        )

    cost = between = math.nan
    if records:
        between = total('start', 'collect', 'decide', 'record') / total(
            'train', 'collect', 'refresh', 'decide', 'record'
        )
    scored = sum(record['forward_only'] for record in records)
    if scored:
        trained = sum(record['trained'] for record in records)
        cost = total('refresh') / scored / (total('train') / trained)
    return Training(
        method,
        seed,
        seconds['wall'],
        seconds['cpu'],
        records[-1]['saved'] if records else 0.0,
        _last_metric(work_dir),
        cost,
        between,
    )


def _last_metric(work_dir: Path) -> float:
    """Of the metric that a comparison would choose."""
    points = read_run(work_dir).points
    for name in (*HEADLINES, *points):
        if name in points:
            return list(points[name].values())[-1]
    raise ConfigError(f'{work_dir} has no validation')


def _table(trainings: list[Training]) -> str:
    """A Markdown table: time against plain and against the limit."""
    plain = {t.seed: t for t in trainings if t.method == PLAIN}
    lines = [f'| {" | ".join(HEADINGS)} |', '|---' * len(HEADINGS) + '|']
    for method in dict.fromkeys(t.method for t in trainings):
        runs = [t for t in trainings if t.method == method]
        limits = [1 / (1 - t.saved) for t in runs]
        wall = [plain[t.seed].wall / t.wall for t in runs]
        cpu = [plain[t.seed].cpu / t.cpu for t in runs]
        cells = (
            method,
            _spread([t.metric for t in runs]),
            f'{statistics.mean(t.saved for t in runs):.1%}',
            _middle(wall),
            f'{statistics.mean(limits):.2f}',
            _middle([w / x for w, x in zip(wall, limits, strict=True)]),
            _middle([c / x for c, x in zip(cpu, limits, strict=True)]),
            _known(statistics.median(t.scoring_cost for t in runs), '.2f'),
            _known(statistics.median(t.between for t in runs), '.2%'),
        )
        lines.append(f'| {" | ".join(cells)} |')
    return '\n'.join(lines)


def _spread(values: list[float]) -> str:
    text = f'{statistics.mean(values):.4g}'
    if len(values) > 1:
        text += f' ± {statistics.stdev(values):.2g}'
    return text


def _middle(values: list[float]) -> str:
    middle = f'{statistics.median(values):.3f}'
    if len(values) == 1:
        return middle
    return f'{middle} ({min(values):.3f} to {max(values):.3f})'


def _known(value: float, form: str) -> str:
    return '' if math.isnan(value) else format(value, form)
