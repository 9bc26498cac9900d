"""Small Loss & Rescale in a config."""

from typing import Any

from mmengine.registry import HOOKS

from ies_mm.methods.small_loss_rescale.rule import SmallLossRescale
from ies_mm.training.hook.selection_hook import SelectionHook


@HOOKS.register_module()
class SmallLossRescaleHook(SelectionHook):
    """Small Loss & Rescale: InfoBatch without annealing (IES, appendix D).

    Args:
        ratio (float): See :class:`InfoBatchHook`. Defaults to 0.5.
        **common: ``keep_history``, ``allow_batch_augments``, ``fallback``,
            ``observe`` and ``scoring``, see :class:`SelectionHook`.

    Raises:
        TypeError: An argument is unknown or of the wrong type.
        ValueError: An argument is out of range.
    """

    def __init__(self, ratio: float = 0.5, **common: Any) -> None:
        super().__init__(SmallLossRescale(ratio), **common)
