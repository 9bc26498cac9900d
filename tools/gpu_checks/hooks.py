"""Hooks for the short trainings on a GPU."""

from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner


@HOOKS.register_module()
class ChannelsLastHook(Hook):
    """Trains with the weights and the images in ``channels_last``."""

    def before_train(self, runner: Runner) -> None:
        """Convert the weights, and every batch of images."""
        runner.model.to(memory_format=torch.channels_last)
        preprocess = runner.model.data_preprocessor
        preprocess.register_forward_hook(_lay_out)


def _lay_out(module: Any, args: Any, data: Any) -> Any:
    data['inputs'] = data['inputs'].to(memory_format=torch.channels_last)
    return data
