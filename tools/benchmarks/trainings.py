"""Whole trainings of every method, seed by seed, in turn."""

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config

from benchmarks.measured import PLAIN, read, table
from ies_mm.configuring.reading import selection_hooks
from ies_mm.errors import ConfigError

KEEP_MEMORY = {
    'MALLOC_MMAP_THRESHOLD_': str(32 << 20),
    'MALLOC_TRIM_THRESHOLD_': str(16 << 30),
}
"""Make glibc keep freed memory; docs/performance.md explains why."""

TRAIN = Path(__file__).parents[1] / 'train.py'


def methods(saved: float) -> dict[str, dict[str, Any] | None]:
    """Name -> hook; all but the plain run and InfoBatch save ``saved``."""
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
        'random pruning': dict(
            type='RandomRemovalHook', ratio=budget, begin=6
        ),
    }


@dataclass(frozen=True)
class Plan:
    """Which trainings to run.

    Args:
        config (Path): A plain config with an epoch-based loop.
        out (Path): Folder of the work directories.
        seeds (sequence of int): Seeds of the trainings.
        saved (float): The share that the methods save.
        methods (sequence of str): Names among :func:`methods`.

    Raises:
        ConfigError: The config or a method does not exist, or the config
            selects images itself, or counts in iterations.
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
                f'{self.config} selects images itself; give its plain config'
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
    """Run the missing trainings and print a table.

    Raises:
        ConfigError: A training run failed.
    """
    hooks = methods(plan.saved)
    names = [PLAIN, *(name for name in plan.methods if name != PLAIN)]
    done = []
    for turn, seed in enumerate(plan.seeds):
        start = turn % len(names)
        # Rotate which one comes first, since the machine's speed drifts.
        for name in names[start:] + names[:start]:
            work_dir = plan.out / f'{re.sub("[ ,]+", "_", name)}_{seed}'
            _train(_child(plan.config, seed, hooks[name]), work_dir)
            done.append(read(work_dir, name, seed))
            print(done[-1], file=sys.stderr, flush=True)
    print(table(done))


def _train(config: str, work_dir: Path) -> None:
    """Train in a separate process, as a user would start it."""
    # Next to it: MMEngine writes the full config into it by the same name.
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
