"""Two runs that must be bit-identical.

Without random augmentation, whose state MMEngine does not save.
"""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config

from ies_mm.training.state.checkpoint import KEY
from method_cases import config_of
from runs import epochs_of, instances_of
from task_runs import in_iterations

OF_TIME = ('_seconds', '_share')
"""Suffixes of record keys that differ between any two runs."""

EPOCHS = 5
ITERATIONS = 22
"""Iterations: four and a half passes of 20 images in batches of 4."""


def by_epochs(folders: Path, work_dir: Path) -> Config:
    config = config_of(folders, work_dir, EPOCHS)
    config.train_dataloader.dataset.pipeline.pop(1)
    config.param_scheduler = [
        dict(type='PolyLR', eta_min=1e-3, by_epoch=False, end=25)
    ]
    return config


def by_iterations(folders: Path, work_dir: Path) -> Config:
    config = in_iterations(by_epochs(folders, work_dir), ITERATIONS)
    config.train_dataloader.sampler.type = 'IESSampler'
    config.default_hooks.checkpoint.interval = 4
    return config


def assert_equal(found: Any, expected: Any, place: str = '') -> None:
    """Compare bit by bit, including NaN."""
    if isinstance(expected, dict):
        assert found.keys() == expected.keys(), place
        for key in expected:
            assert_equal(found[key], expected[key], f'{place}.{key}')
    elif isinstance(expected, torch.Tensor):
        assert found.numpy().tobytes() == expected.numpy().tobytes(), place
    elif isinstance(expected, np.ndarray):
        assert found.tobytes() == expected.tobytes(), place
    elif isinstance(expected, list | tuple):
        assert len(found) == len(expected), place
        for i, pair in enumerate(zip(found, expected, strict=True)):
            assert_equal(*pair, f'{place}[{i}]')
    else:
        assert found == expected, place


def assert_same_run(found: Path, expected: Path, last: str) -> None:
    """Compare parameters, momenta, history, selection and records."""
    ours, theirs = (
        torch.load(folder / last, weights_only=False)
        for folder in (found, expected)
    )
    for part in ('state_dict', 'optimizer', KEY):
        assert_equal(ours[part], theirs[part], part)
    assert_equal(*(without_seconds(path) for path in (found, expected)))
    assert_equal(instances_of(found), instances_of(expected))


def without_seconds(work_dir: Path) -> list[dict]:
    return [
        {
            k: v
            for k, v in record.items()
            if not k.endswith(('_seconds', '_share'))
        }
        for record in epochs_of(work_dir)
    ]


def resumed(config: Config, whole: Path, checkpoint: str) -> Config:
    """Resume in a copy of the folder, whose records are ahead."""
    shutil.rmtree(config.work_dir, ignore_errors=True)
    shutil.copytree(whole, config.work_dir)
    config.resume, config.load_from = True, str(whole / checkpoint)
    return config
