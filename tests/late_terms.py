"""A segmentor with a second loss in some epochs only."""

import copy
from pathlib import Path

from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import nn

from task_runs import segmentor_config, with_ies

EPOCHS = 10
AWAY = range(5, 8)
NEW = 'decode.loss_late'


class Leaving(Hook):
    """Has the second loss in all but some epochs."""

    def before_train(self, runner: Runner) -> None:
        loss = runner.model.decode_head.loss_decode
        self._both = [loss, copy.deepcopy(loss)]
        self._both[1]._loss_name = 'loss_late'

    def before_train_epoch(self, runner: Runner) -> None:
        self.have(runner, runner.epoch + 1 not in AWAY)

    def have(self, runner: Runner, late: bool) -> None:
        """Train with the second loss or without it."""
        losses = nn.ModuleList(self._both[: 1 + late])
        runner.model.decode_head.loss_decode = losses


def config_of(maps: Path, work_dir: Path) -> Config:
    config = with_ies(
        segmentor_config(maps, work_dir),
        delta=dict(type='Budget', saved=0.1),
        keep_history=True,
    )
    config.train_cfg.max_epochs = EPOCHS
    config.log_level = 'INFO'
    return config


def leaving_config(maps: Path, work_dir: Path) -> Config:
    """Without random transforms, whose state MMEngine does not resume."""
    config = config_of(maps, work_dir)
    config.train_dataloader.dataset.pipeline.pop(2)
    config.model.decode_head.dropout_ratio = 0
    config.model.auxiliary_head.dropout_ratio = 0
    return config
