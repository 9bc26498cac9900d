"""A small iteration-based training, and helpers for its tests."""

from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner

from runs import FixedSelection
from task_runs import classifier_config, in_iterations

IMAGES = 20
PLAIN = 30
"""Iterations of the plain run: six passes of five batches of four."""

OUT = list(range(8))
"""A budget of 40% of the images."""


def plain(folders: Path, work_dir: Path, max_iters: int = PLAIN) -> Config:
    return in_iterations(classifier_config(folders, work_dir), max_iters)


def always(ids: list[int]) -> FixedSelection:
    return FixedSelection(dict.fromkeys(range(1, 50), ids))


class Ends(Hook):
    """What came last, and when."""

    priority = 'LOWEST'

    def __init__(self) -> None:
        self.validated: list[int] = []
        self.logged: list[int] = []

    def after_train_iter(self, runner: Runner, *_: Any, **__: Any) -> None:
        self.rate = runner.optim_wrapper.get_lr()['lr'][0]
        self.logged.append(runner.max_iters)

    def after_val(self, runner: Runner) -> None:
        self.validated.append(runner.iter)
