"""Whole trainings of every method, seed by seed, in turn."""

import json
import os
import re
import statistics
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config

from ies_mm.errors import ConfigError
from ies_mm.report.records import read_epochs

HEADINGS = (
    '', 'metric', 'saved', 'speed-up', 'limit', 'share of the limit',
    'in CPU time', 'scoring / training an image',
)  # fmt: skip
KEEP_MEMORY = {
    'MALLOC_MMAP_THRESHOLD_': str(32 << 20),
    'MALLOC_TRIM_THRESHOLD_': str(16 << 30),
}
"""Has glibc keep freed memory: docs/performance.md says what it does else."""

TRAIN = Path(__file__).with_name('train.py')
PLAIN = 'plain'


def methods(saved: float) -> dict[str, dict[str, Any] | None]:
    """Name -> hook; all but the plain run and InfoBatch save as much."""
    budget = dict(type='Budget', saved=saved)
    ies = dict(type='IESHook', delta=budget)
    spaced = dict(type='Spaced', cap=8)
    return {
        PLAIN: None,
        'IES': ies,
        'IES, every 5': ies | dict(refresh_interval=5),
        'IES, spaced': ies | dict(refresh_interval=spaced),
        'IES, spaced, by training': (
            ies | dict(refresh_interval=spaced | dict(by='training'))
        ),
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
        refresh (float): Seconds of forward passes.
        between (float): Other seconds between epochs.
        scoring_cost (float): Scoring / training an image; NaN without.
    """

    method: str
    seed: int
    wall: float
    cpu: float
    saved: float
    metric: float
    refresh: float
    between: float
    scoring_cost: float


def bench_trainings(
    config: Path, out: Path, seeds: list[int], saved: float, names: list[str]
) -> None:
    """Train, or read what an earlier call has trained, and print a table.

    Args:
        config (Path): A plain config.
        out (Path): Folder of the work directories.
        seeds (list of int): Of the trainings.
        saved (float): What the methods are asked to save.
        names (list of str): Which of :func:`methods`.

    Raises:
        ConfigError: There is no such config or method, or a training failed.
    """
    if not config.is_file():
        raise ConfigError(f'there is no config file {config}')
    hooks = methods(saved)
    names = [PLAIN, *(name for name in names if name != PLAIN)]
    unknown = [name for name in names if name not in hooks]
    if unknown:
        raise ConfigError(
            f'there is no method {unknown[0]!r}; give some of '
            f'{", ".join(map(repr, hooks))}'
        )
    done = []
    for turn, seed in enumerate(seeds):
        start = turn % len(names)
        # Another one comes first each time: the machine's speed drifts.
        for name in names[start:] + names[:start]:
            work_dir = out / f'{re.sub("[ ,]+", "_", name)}_{seed}'
            if not (work_dir / 'seconds.json').exists():
                _train(config, work_dir, seed, hooks[name])
            done.append(_read(work_dir, name, seed))
            print(done[-1], file=sys.stderr, flush=True)
    print(_table(done))


def _table(trainings: list[Training]) -> str:
    """A Markdown table: time against plain and against the limit."""
    plain = {t.seed: t for t in trainings if t.method == PLAIN}
    lines = [
        f'| {" | ".join(HEADINGS)} |',
        '|---' * len(HEADINGS) + '|',
    ]
    for method in dict.fromkeys(t.method for t in trainings):
        runs = [t for t in trainings if t.method == method]
        wall = [plain[t.seed].wall / t.wall for t in runs]
        cpu = [plain[t.seed].cpu / t.cpu for t in runs]
        limit = [1 / (1 - t.saved) for t in runs]
        shares = [w / x for w, x in zip(wall, limit, strict=True)]
        cpu_shares = [c / x for c, x in zip(cpu, limit, strict=True)]
        costs = [t.scoring_cost for t in runs]
        cost = statistics.median(costs)
        lines.append(
            f'| {method} | {_spread([t.metric for t in runs])} | '
            f'{statistics.mean(t.saved for t in runs):.1%} | '
            f'{_middle(wall)} | {statistics.mean(limit):.2f} | '
            f'{_middle(shares)} | {_middle(cpu_shares)} | '
            f'{"" if cost != cost else f"{cost:.2f}"} |'
        )
    return '\n'.join(lines)


def _train(
    config: Path, work_dir: Path, seed: int, hook: dict[str, Any] | None
) -> None:
    """One process for each, as a user starts it."""
    work_dir.mkdir(parents=True, exist_ok=True)
    child = work_dir / 'bench.py'
    child.write_text(_child(config, seed, hook))
    with (work_dir / 'bench.log').open('w') as log:
        code = subprocess.call(
            [sys.executable, TRAIN, child, '--work-dir', work_dir],
            stdout=log,
            stderr=subprocess.STDOUT,
            env=KEEP_MEMORY | os.environ,
        )
    if code:
        raise ConfigError(f'the training failed, see {log.name}')


def _child(config: Path, seed: int, hook: dict[str, Any] | None) -> str:
    epochs = Config.fromfile(config).train_cfg.max_epochs
    hooks: dict[str, Any] = {'seconds': dict(type='TrainingSeconds')}
    lines = [f'_base_ = {str(config.resolve())!r}']
    imports = ['_bench_clock', 'ies_mm.engine']
    if hook is not None:
        hooks['ies'] = hook
        lines.append(
            "train_dataloader = dict(sampler=dict(type='IESSampler'))"
        )
    lines += [
        f'custom_imports = dict(imports={imports!r})',
        f'default_hooks = {hooks!r}',
        f'randomness = dict(seed={seed})',
        f'train_cfg = dict(val_interval={epochs})',
    ]
    return '\n'.join(lines) + '\n'


def _read(work_dir: Path, method: str, seed: int) -> Training:
    seconds = json.loads((work_dir / 'seconds.json').read_text())
    records = read_epochs(work_dir)

    def total(*keys: str) -> float:
        return sum(record[key] for record in records for key in keys)

    scored, refresh = total('forward_only'), total('refresh_seconds')
    cost = float('nan')
    if scored:
        cost = refresh / scored / (total('train_seconds') / total('trained'))
    return Training(
        method,
        seed,
        seconds['wall'],
        seconds['cpu'],
        records[-1]['saved'] if records else 0.0,
        _last_metric(work_dir),
        refresh,
        total('collect_seconds', 'decide_seconds', 'record_seconds'),
        cost,
    )


def _last_metric(work_dir: Path) -> float:
    [path] = sorted(work_dir.glob('*/vis_data/scalars.json'))[-1:]
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    last = [line for line in lines if 'lr' not in line][-1]
    names = ('pascal_voc/mAP', 'accuracy/top1', 'mIoU')
    return float(next(last[name] for name in names if name in last))


def _spread(values: list[float]) -> str:
    text = f'{statistics.mean(values):.4g}'
    if len(values) > 1:
        text += f' ± {statistics.stdev(values):.2g}'
    return text


def _middle(values: list[float]) -> str:
    middle = f'{statistics.median(values):.3f}'
    return f'{middle} ({min(values):.3f} to {max(values):.3f})'
