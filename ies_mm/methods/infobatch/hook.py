"""InfoBatch in a config."""

from typing import Any

from mmengine.registry import HOOKS

from ies_mm.methods.infobatch.rule import InfoBatch
from ies_mm.training.hook.selection_hook import SelectionHook


@HOOKS.register_module()
class InfoBatchHook(SelectionHook):
    """InfoBatch (Qin et al., ICLR 2024): soft pruning with rescaled losses.

    After every epoch the instances whose last loss is below the mean are
    *well learned*. A random fraction of them is pruned from the next epoch,
    neither loaded nor scored; the others are trained with weight
    ``1 / (1 - ratio)``. The last epochs train on everything, unweighted.
    After a switch of the pipeline or the loss, instances not yet observed
    with the new one are trained.

    Args:
        ratio (float): Fraction of the well-learned instances to prune, from 0
            to below 1. Defaults to 0.5.
        anneal (float): Last fraction of the epochs, 0 to 1, that trains on
            everything. Defaults to 0.125, as in InfoBatch.
        **common: ``keep_history``, ``allow_batch_augments``, ``fallback``,
            ``observe`` and ``scoring``, see :class:`SelectionHook`.

    Raises:
        TypeError: An argument is unknown or of the wrong type.
        ValueError: An argument is out of range.
    """

    def __init__(
        self, ratio: float = 0.5, anneal: float = 0.125, **common: Any
    ) -> None:
        super().__init__(InfoBatch(ratio, anneal), **common)
