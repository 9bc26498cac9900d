"""Trainings whose iterations end within a pass over the data."""

from pathlib import Path
from typing import Any

import pytest

from iteration_runs import plain
from runs import train
from task_runs import make_folders, with_sampler

IMAGES, BATCH = 60, 2
ITERATIONS = 132
"""Of the plain run: 264 samples, 4.4 passes."""


SAVED = 0.3


@pytest.mark.parametrize(
    'hook',
    [
        dict(type='RandomRemovalHook', saved=SAVED, begin=2),
        dict(
            type='RandomRemovalHook',
            ratio=dict(type='Budget', saved=SAVED, course='even'),
            begin=2,
        ),
        dict(type='SoftIESHook', saved=SAVED, window=1),
        dict(
            type='IESHook',
            delta=dict(type='Budget', saved=SAVED),
            order=0,
            window=1,
            refresh_interval=dict(type='Spaced', by='training'),
        ),
    ],
)
def test_the_share_asked_for_is_saved(
    hook: dict[str, Any], tmp_path: Path
) -> None:
    folders = make_folders(tmp_path / 'folders', IMAGES)
    config = with_sampler(plain(folders, tmp_path / 'run', ITERATIONS))
    config.train_dataloader.batch_size = BATCH
    config.default_hooks.ies = hook
    saved = 1 - train(config).iter / ITERATIONS
    # Which of the last pass's images come first is chance.
    assert saved == pytest.approx(SAVED, abs=0.03)
