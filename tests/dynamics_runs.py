"""A config with TrainingDynamicsHook."""

from typing import Any

from mmengine.config import Config

from iteration_runs import IMAGES
from task_runs import BATCH

BATCHES = IMAGES // BATCH


def with_dynamics(config: Config, **changes: Any) -> Config:
    arguments = dict(interval=2, images=6, iterations=2) | changes
    config.default_hooks.dynamics = dict(
        type='TrainingDynamicsHook', **arguments
    )
    return config
