"""Fine-tuning of the head alone."""

from typing import Any

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.registry import HOOKS
from mmengine.runner import Runner
from torch import nn

from ies_mm.errors import ConfigError


@HOOKS.register_module()
class HeadOnlyHook(Hook):
    """Trains one part of a model; the others stay as they were loaded.

    Their parameters get no gradient, and they are in evaluation mode, so that
    the statistics of BatchNorm stay, too. (``frozen_stages`` of mmpretrain's
    DenseNet leaves out its stem, and every backbone has stages of its own.)
    The paper fine-tunes in this way (appendix B.4).

    Args:
        head (str): Attribute of the model with the part to train. Defaults to
            ``'head'``.
    """

    def __init__(self, head: str = 'head') -> None:
        self._head = head
        self._frozen: list[nn.Module] = []
        self._without_gradient: list[nn.Parameter] = []

    def before_train(self, runner: Runner) -> None:
        """Freeze the other parts.

        Raises:
            ConfigError: The model has no such part, or is wrapped for several
                processes, which wait for the gradients of all parameters.
        """
        model: Any = runner.model
        if is_model_wrapper(model):
            raise ConfigError(
                f'HeadOnlyHook freezes parameters that {type(model).__name__} '
                'waits for; train in one process'
            )
        parts = dict(model.named_children())
        if self._head not in parts:
            raise ConfigError(
                f'HeadOnlyHook(head={self._head!r}): the model has only '
                f'{", ".join(parts)}'
            )
        del parts[self._head]
        self._frozen = list(parts.values())
        self._without_gradient = [
            parameter
            for part in self._frozen
            for parameter in part.parameters()
            if parameter.requires_grad
        ]
        for parameter in self._without_gradient:
            parameter.requires_grad = False

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None
    ) -> None:
        """Return the frozen parts to evaluation mode."""
        # The loop sets the whole model to training mode in every epoch, after
        # before_train_epoch.
        for part in self._frozen:
            part.eval()

    def after_train(self, runner: Runner) -> None:
        """Let the frozen parts be trained again."""
        for parameter in self._without_gradient:
            parameter.requires_grad = True
