"""The runner of a config."""

from typing import Any

from mmengine.config import Config
from mmengine.registry import RUNNERS
from mmengine.runner import Runner


def runner_of(cfg: Config) -> Any:
    """MMEngine's ``Runner``, or the one that ``runner_type`` names."""
    if 'runner_type' in cfg:
        return RUNNERS.build(cfg)
    return Runner.from_cfg(cfg)
