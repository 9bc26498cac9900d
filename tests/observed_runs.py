"""Small trainings that PerImageLossHook observes."""

from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.runner import Runner

from ies_mm.engine import PerImageLossHook
from runs import train, with_hook
from same_runs import by_epochs
from task_runs import classifier_config, in_iterations


def epochs(data: Path, work_dir: Path) -> Config:
    """Three epochs with MMEngine's own sampler, without augmentation."""
    config = by_epochs(data, work_dir)
    config.train_cfg.max_epochs = 3
    config.train_dataloader.sampler.type = 'DefaultSampler'
    return config


def workers(data: Path, work_dir: Path) -> Config:
    """With flips, in persistent workers."""
    config = in_iterations(classifier_config(data, work_dir), 11)
    config.train_dataloader.num_workers = 1
    config.train_dataloader.persistent_workers = True
    return config


def observed(config: Config, **arguments: Any) -> Runner:
    return train(config, with_hook(PerImageLossHook(**arguments)))
