"""InfoBatch in a config."""

from mmengine.registry import HOOKS

from ies_mm.methods.infobatch.rule import InfoBatch
from ies_mm.training.hook.selection_hook import SelectionHook


@HOOKS.register_module()
class InfoBatchHook(SelectionHook):
    """InfoBatch (Qin et al., ICLR 2024): soft pruning with rescaled losses.

    After every epoch the instances whose last loss is below the mean are
    *well learned*. A random part of them is left out of the next epoch, not
    loaded and not scored; the others of them are trained with a weight of
    ``1 / (1 - ratio)``. The last epochs train on everything, unweighted. What
    was last observed before the pipeline or the loss was switched is trained.

    Args:
        ratio (float): The part of the well-learned instances that is left
            out, from 0 to below 1. Defaults to 0.5.
        anneal (float): The last part of the epochs, 0 to 1, that trains on
            everything. Defaults to 0.125, InfoBatch's.
        keep_history (bool): See :class:`IESHook`. Defaults to False.
        allow_batch_augments (bool): See :class:`IESHook`. Defaults to False.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: An argument is out of range.
    """

    def __init__(
        self,
        ratio: float = 0.5,
        anneal: float = 0.125,
        keep_history: bool = False,
        allow_batch_augments: bool = False,
    ) -> None:
        super().__init__(
            InfoBatch(ratio, anneal), keep_history, allow_batch_augments
        )
