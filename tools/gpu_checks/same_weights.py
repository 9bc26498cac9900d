"""Trainings that must end with the same weights as another one."""

import math
import shutil
from pathlib import Path
from typing import Any

import torch

from gpu_checks.short_trainings import EPOCHS, Found, Works, records_of, train
from gpu_checks.tasks import config_of


def off_is_plain(works: Works, task: str) -> Found:
    """Check that delta=0 is as close to a plain run as a second plain run."""
    runs = {}
    for run in ('plain', 'again', 'off'):
        name = f'{task} {run}'
        method = 'off' if run == 'off' else 'plain'
        failed = train(
            works, name, config_of(works.data, task, method, 'exact', 3)
        )
        if failed:
            return failed
        runs[run] = _weights(works.folder(name) / 'epoch_3.pth')
    return _compared(runs)


def resumed(works: Works) -> Found:
    """Compare a run resumed after epoch 4 with the uninterrupted run."""
    config = config_of(works.data, 'classifier', 'ies', 'exact', EPOCHS)
    last, runs = f'epoch_{EPOCHS}.pth', {}
    for run in ('whole', 'repeated'):
        if failed := train(works, run, config):
            return failed
        runs[run] = _weights(works.folder(run) / last)
    whole, rest = works.folder('whole'), works.folder('resumed')
    shutil.rmtree(rest, ignore_errors=True)
    shutil.copytree(whole, rest)
    options = ('--resume', str(whole / 'epoch_4.pth'))
    if failed := train(works, 'resumed', config, *options):
        return failed
    runs['resumed'] = _weights(rest / last)
    found = _compared(runs)
    counts = [
        [record['excluded'] for record in records_of(folder)]
        for folder in (whole, rest)
    ]
    if found['passed'] and counts[0] != counts[1]:
        found |= dict(passed=False, why=f'pruned {counts[1]}: {counts[0]}')
    return found | dict(excluded=counts[0])


def _compared(runs: dict[str, dict[str, Any]]) -> Found:
    first, again, other = runs.values()
    mine, noise = _distance(first, other), _distance(first, again)
    passed = mine <= 2 * noise
    why = '' if passed else f'{mine:.2e} from it, a repetition {noise:.2e}'
    return dict(passed=passed, why=why, distance=mine, repetition=noise)


def _weights(path: Path) -> dict[str, Any]:
    loaded = torch.load(path, map_location='cpu', weights_only=False)
    weights: dict[str, Any] = loaded['state_dict']
    return weights


def _distance(one: dict[str, Any], other: dict[str, Any]) -> float:
    """Norm of the difference over the norm, over all weights."""
    apart = sum(float((one[k] - other[k]).double().norm() ** 2) for k in one)
    size = sum(float(one[k].double().norm() ** 2) for k in one)
    return math.sqrt(apart / size)
