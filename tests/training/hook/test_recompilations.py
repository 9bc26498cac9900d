"""A compiled step is not recompiled during training."""

from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch._dynamo.utils import counters

from ies_mm.engine import IESHook
from runs import FixedSelection, train
from same_runs import by_epochs

PLAN = {epoch: [epoch % 16, 17, 18, 19] for epoch in range(1, 10)}
"""Four of 20 images pruned in each epoch but the first: batches stay at 4."""


class Frames(Hook):
    """Records the number of compiled functions at the end of each epoch."""

    def __init__(self) -> None:
        self.counts: list[int] = []

    def after_train_epoch(self, runner: Runner, **_: Any) -> None:
        self.counts.append(counters['stats']['unique_graphs'])


@pytest.mark.parametrize(
    'hook', [lambda: FixedSelection(PLAN), lambda: IESHook(0)]
)
def test_forty_steps(folders: Path, tmp_path: Path, hook: Any) -> None:
    torch._dynamo.reset()
    counters.clear()
    config = by_epochs(folders, tmp_path)
    config.train_cfg.max_epochs = 10
    config.compile = dict(backend='eager')
    frames = Frames()

    def register(runner: Runner) -> None:
        runner.register_hook(hook())
        runner.register_hook(frames, priority='LOWEST')

    runner = train(config, register)
    assert runner.iter >= 40
    # The second epoch is the first with a scoring pass, and the first
    # two batches are compared.
    assert frames.counts[0] > 0
    assert frames.counts[3:] == [frames.counts[3]] * 7
