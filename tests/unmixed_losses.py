"""Losses of images without mixing, computed beside a training that mixes."""

from pathlib import Path
from typing import Any

import pytest
import torch
from mmdet.registry import DATASETS
from mmengine.dataset import pseudo_collate
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ies_mm.training.data.shown_images import batch_instances
from ies_mm.training.data.tagging import partners_in
from mixing_runs import rtmdet, rtmdet_ins, yolox
from runs import dataset_config

STOCK = pytest.mark.parametrize('make', [rtmdet, rtmdet_ins, yolox])


class Watch(Hook):
    """Records every epoch's images by sample, and the expected losses."""

    priority = 'LOWEST'

    def __init__(self, after: int, pipeline: list[dict]) -> None:
        self.after = after
        self.pipeline = pipeline
        self.shown: list[set[int]] = []
        self.alone = torch.zeros(0)

    def before_train_epoch(self, runner: Runner) -> None:
        self.shown.append(set())

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, **_: Any
    ) -> None:
        self.shown[-1].update(batch_instances(data_batch).tolist())
        for sample in data_batch['data_samples']:
            self.shown[-1].update(partners_in(sample))

    def after_train_epoch(self, runner: Runner) -> None:
        if runner.epoch + 1 == self.after:
            self.alone = losses_alone(runner, self.pipeline)


def losses_alone(runner: Runner, pipeline: list[dict]) -> torch.Tensor:
    """Each unmixed image in its own batch, with BatchNorm's means."""
    voc = Path(runner.cfg.voc)
    dataset = DATASETS.build(dataset_config(voc, pipeline=pipeline))
    model = runner.model
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.training = False
    found = []
    for image in dataset:
        data = model.data_preprocessor(pseudo_collate([image]), training=False)
        with torch.no_grad():
            losses = model(**data, mode='loss')
        found.append([float(sum_of(loss)) for loss in losses.values()])
    model.train()
    return torch.tensor(found)


def sum_of(loss: Any) -> Any:
    return sum(loss) if isinstance(loss, list) else loss
