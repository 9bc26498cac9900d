"""Selective-Backprop in a config."""

from typing import Any

from mmengine.dist import get_world_size
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from ies_mm.errors import ConfigError
from ies_mm.methods.selective_backprop.rule import SelectiveBackprop
from ies_mm.methods.selective_backprop.steps import GatheringSteps
from ies_mm.training.hook.selection_hook import SelectionHook


@HOOKS.register_module()
class SelectiveBackpropHook(SelectionHook):
    r"""Selective-Backprop (Jiang et al., 2019): train on the biggest losers.

    Every batch is first scored by a forward pass (no gradient; random layers
    in evaluation mode). An image is chosen with probability
    :math:`CDF(L)^\beta`, where CDF is the fraction of the last ``recent``
    losses that do not exceed its own. Chosen images are collected until they
    fill a batch, which is then trained. Images left at the end of an epoch
    are trained as a smaller batch, unless there is only one. Every image is
    loaded and scored every epoch, so only backward passes are saved, and
    chosen images are forwarded twice.

    Args:
        beta (float): Selectivity: about ``1 / (beta + 1)`` of the images are
            chosen. Defaults to 1.
        recent (int): Number of losses that a new one is compared with.
            Defaults to 1024, as in the authors' code.
        **common: ``keep_history``, ``allow_batch_augments``, ``fallback``,
            ``observe`` and ``scoring``, see :class:`SelectionHook`.

    Raises:
        TypeError: An argument is unknown or of the wrong type.
        ValueError: An argument is out of range.
    """

    steps = GatheringSteps

    def __init__(
        self, beta: float = 1.0, recent: int = 1024, **common: Any
    ) -> None:
        super().__init__(SelectiveBackprop(beta, recent), **common)

    def before_train(self, runner: Runner) -> None:
        """Refuse several processes, whose queues would fill unevenly.

        Raises:
            ConfigError: There is more than one process.
        """
        if get_world_size() > 1:
            raise ConfigError(
                f'{self.method.name} selects within a training step, so '
                f'it needs a single process, found {get_world_size()}; take '
                'another method'
            )
        super().before_train(runner)
