"""Shorter plain runs, and a method's differences from its controls."""

from pathlib import Path
from typing import Any

import numpy as np

from ies_mm.report.comparing.comparison import compare_runs
from ies_mm.report.comparing.differences import Difference
from ies_mm.report.comparing.notes import Comparison
from work_dirs import (
    config_of,
    epoch_scalars,
    ies_run,
    plain_run,
    write_start,
)

SEEDS = range(4)


def short_run(
    work_dir: Path, seed: int, value: float, length: float, epochs: int = 30
) -> Path:
    config = config_of(
        seed, ies_mm_length=length, train_cfg__max_epochs=epochs
    )
    return write_start(
        work_dir, config, epoch_scalars({epochs: value}, epochs)
    )


def differences(found: Comparison, method: str) -> dict[str, Difference]:
    [row] = [row for row in found.rows if row.group.method == method]
    return {difference.kind: difference for difference in row.differences}


def random_run(
    work_dir: Path, seed: int, value: float, saved: float, **arguments: Any
) -> Path:
    hook = dict(type='RandomRemovalHook', ratio=saved) | arguments
    return ies_run(
        work_dir, seed, {4: value}, hook=hook, saved=saved,
        method='Random Remove',
    )  # fmt: skip


def values(of: str) -> np.ndarray:
    """A metric for every seed, the same in each call."""
    draw = np.random.default_rng(sum(map(ord, of)))
    return draw.uniform(0.4, 0.8, len(SEEDS))


def comparison(folder: Path, length: float = 0.75) -> Comparison:
    """Four seeds of each method, which saves a quarter."""
    runs = []
    for seed in SEEDS:
        runs += [
            plain_run(folder / f'p{seed}', seed, {4: values('plain')[seed]}),
            short_run(
                folder / f's{seed}', seed, values('short')[seed], length
            ),
            random_run(folder / f'r{seed}', seed, values('drawn')[seed], 0.25),
            ies_run(
                folder / f'i{seed}', seed, {4: values('ies')[seed]}, saved=0.25
            ),
        ]
    return compare_runs(runs)
