"""Small real trainings that the tests run and inspect."""

import copy
import itertools
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmdet.registry import DATASETS
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

import ies_mm.engine  # noqa: F401
import transforms  # noqa: F401
from ies_mm.core import Selection, Standing
from ies_mm.methods.ies.rule import IES
from ies_mm.methods.method import Decision
from ies_mm.training.hook.common_arguments import COMMON
from ies_mm.training.hook.selection_hook import SelectionHook
from small import faster_rcnn_config


class Planned(IES):
    """IES with a test's choice of the images pruned after each epoch."""

    def __init__(self, plan: dict[int, list[int]], **arguments: Any) -> None:
        super().__init__(delta=0, **arguments)
        self.plan = plan

    def decide(self, history: Any, names: Any, standing: Standing) -> Decision:
        active = torch.ones(history.instances, dtype=torch.bool)
        active[self.plan.get(standing.epoch, [])] = False
        return Decision(~active, Selection(active), 0.0)


class FixedSelection(SelectionHook):
    """The hook of :class:`Planned`."""

    def __init__(self, plan: dict[int, list[int]], **arguments: Any) -> None:
        mine = {key: arguments.pop(key) for key in COMMON if key in arguments}
        super().__init__(Planned(plan, **arguments), **mine)


RUNS = itertools.count()

CLASSES = ('bicycle', 'bird', 'boat', 'bottle')
TRAIN_PIPELINE = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='Resize', scale=(96, 72), keep_ratio=True),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackDetInputs'),
]
TEST_PIPELINE = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(96, 72), keep_ratio=True),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(
        type='PackDetInputs',
        meta_keys=(
            'img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor',
        ),
    ),
]  # fmt: skip


def dataset_config(voc: Path, part: str = 'trainval', **changes: Any) -> dict:
    """A VOCDataset over the small images."""
    return (
        dict(
            type='VOCDataset',
            data_root=str(voc) + '/',
            ann_file=f'VOC2007/ImageSets/Main/{part}.txt',
            data_prefix=dict(sub_data_root='VOC2007/'),
            metainfo=dict(classes=CLASSES),
            filter_cfg=dict(filter_empty_gt=False, min_size=8),
            pipeline=copy.deepcopy(TRAIN_PIPELINE),
        )
        | changes
    )


def build_dataset(config: dict) -> Any:
    """Build an mmdet dataset."""
    init_default_scope('mmdet')
    return DATASETS.build(config)


def plain_config(voc: Path, work_dir: Path, epochs: int = 2) -> Config:
    """A training without our hook and sampler."""
    return Config(
        dict(
            default_scope='mmdet',
            work_dir=str(work_dir),
            model=faster_rcnn_config(),
            train_dataloader=dict(
                batch_size=4,
                num_workers=0,
                sampler=dict(type='DefaultSampler', shuffle=True),
                batch_sampler=dict(type='AspectRatioBatchSampler'),
                dataset=dataset_config(voc),
            ),
            train_cfg=dict(type='EpochBasedTrainLoop', max_epochs=epochs),
            optim_wrapper=dict(
                type='OptimWrapper',
                optimizer=dict(type='SGD', lr=0.01, momentum=0.9),
            ),
            default_hooks=dict(
                logger=dict(type='LoggerHook', interval=1),
                checkpoint=dict(type='CheckpointHook', interval=1),
            ),
            randomness=dict(seed=7, deterministic=True),
            log_level='WARNING',
        )
    )


def ies_config(
    voc: Path, work_dir: Path, epochs: int = 2, **hook: Any
) -> Config:
    """The same training with our hook and sampler."""
    config = plain_config(voc, work_dir, epochs)
    config.default_hooks.ies = dict(type='IESHook', **hook)
    config.train_dataloader.sampler = dict(type='IESSampler', shuffle=True)
    return config


def train(
    config: Config, prepare: Callable[[Runner], None] | None = None
) -> Runner:
    """Run a training to its end; ``prepare`` is called with the runner."""
    config = copy.deepcopy(config)
    # MMEngine caches loggers and visualizers by this name and the second; two
    # runs in one second would share them.
    config.experiment_name = f'run_{os.getpid()}_{next(RUNS)}'
    runner = Runner.from_cfg(config)
    if prepare is not None:
        prepare(runner)
    runner.train()
    return runner


def epochs_of(work_dir: Path) -> list[dict[str, Any]]:
    """The records in epochs.jsonl."""
    lines = (work_dir / 'ies' / 'epochs.jsonl').read_text().splitlines()
    return [json.loads(line) for line in lines]


def instances_of(work_dir: Path) -> dict[str, np.ndarray]:
    """The arrays of instances.npz."""
    with np.load(work_dir / 'ies' / 'instances.npz') as arrays:
        return dict(arrays)


def parameters(runner: Runner) -> dict[str, torch.Tensor]:
    """A copy of the model's weights and buffers."""
    return {k: v.clone() for k, v in runner.model.state_dict().items()}


def with_hook(hook: Hook) -> Callable[[Runner], None]:
    """For ``train``: register another hook."""
    return lambda runner: runner.register_hook(hook)
