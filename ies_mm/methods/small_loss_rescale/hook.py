"""Small Loss & Rescale in a config."""

from mmengine.registry import HOOKS

from ies_mm.methods.small_loss_rescale.rule import SmallLossRescale
from ies_mm.training.hook.selection_hook import SelectionHook


@HOOKS.register_module()
class SmallLossRescaleHook(SelectionHook):
    """Small Loss & Rescale: InfoBatch without annealing (IES, appendix D).

    Args:
        ratio (float): See :class:`InfoBatchHook`. Defaults to 0.5.
        keep_history (bool): See :class:`IESHook`. Defaults to False.
        allow_batch_augments (bool): See :class:`IESHook`. Defaults to False.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: An argument is out of range.
    """

    def __init__(
        self,
        ratio: float = 0.5,
        keep_history: bool = False,
        allow_batch_augments: bool = False,
    ) -> None:
        super().__init__(
            SmallLossRescale(ratio), keep_history, allow_batch_augments
        )
