"""Selective-Backprop in a config."""

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

    Every batch is scored by a forward pass first (noisy layers held, no
    gradient). An image is chosen with the probability :math:`CDF(L)^\beta`,
    the share of the last ``recent`` losses that its own is not below. Chosen
    images are gathered until they make a batch, and that is trained; what is
    gathered at the end of an epoch is trained as a smaller one, if it is more
    than a single image. Every image is loaded and scored every epoch, so only
    backward passes are saved, and the chosen images are forwarded twice.

    Args:
        beta (float): The higher, the fewer are chosen: about
            ``1 / (beta + 1)``. Defaults to 1.
        recent (int): Losses that a new one is compared with. Defaults to
            1024, the authors'.
        keep_history (bool): See :class:`IESHook`. Defaults to False.
        allow_batch_augments (bool): See :class:`IESHook`. Defaults to False.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: An argument is out of range.
    """

    steps = GatheringSteps

    def __init__(
        self,
        beta: float = 1.0,
        recent: int = 1024,
        keep_history: bool = False,
        allow_batch_augments: bool = False,
    ) -> None:
        super().__init__(
            SelectiveBackprop(beta, recent), keep_history, allow_batch_augments
        )

    def before_train(self, runner: Runner) -> None:
        """Refuse several processes, whose queues would not fill alike.

        Raises:
            ConfigError: There are several.
        """
        if get_world_size() > 1:
            raise ConfigError(
                f'{self.method.name} selects inside of the step, for which '
                f'there must be one process, found {get_world_size()}; take '
                'another method'
            )
        super().before_train(runner)
