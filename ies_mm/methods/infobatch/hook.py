"""InfoBatch's hook."""

from collections.abc import Sequence

from mmengine.registry import HOOKS
from torch import Tensor

from ies_mm.core import LossHistory, Selection, may_exclude
from ies_mm.core.arguments import check_number, check_ratio
from ies_mm.methods.infobatch.rule import infobatch
from ies_mm.training.hook.selection_hook import SelectionHook

UNKNOWN_SCORE = 3.0
"""InfoBatch's score of an instance that has not been observed."""


@HOOKS.register_module()
class InfoBatchHook(SelectionHook):
    """InfoBatch (Qin et al., ICLR 2024): soft pruning with rescaled losses.

    After every epoch the instances whose last loss is below the mean are
    *well learned*. A random part of them is left out of the next epoch, not
    loaded and not scored; the others of them are trained with a weight of
    ``1 / (1 - ratio)``. The last epochs train on everything, unweighted.

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

    method = 'InfoBatch'

    def __init__(
        self,
        ratio: float = 0.5,
        anneal: float = 0.125,
        keep_history: bool = False,
        allow_batch_augments: bool = False,
    ) -> None:
        super().__init__(1, keep_history, allow_batch_augments)
        check_ratio('ratio', ratio)
        check_number('anneal', anneal, 0, 1)
        self.ratio = ratio
        self.anneal = anneal

    def decide(
        self, history: LossHistory, names: Sequence[str], epoch: int
    ) -> tuple[Tensor, Selection]:
        """The well-learned instances, and what the next epoch trains."""
        scores = history.values[-1].double().sum(dim=1)
        scores[history.count == 0] = UNKNOWN_SCORE
        generator = self.generator(epoch)
        below, selection = infobatch(scores, self.ratio, generator)
        if may_exclude(epoch, self.pace.max_epochs, anneal=self.anneal):
            return below, selection
        return below, Selection.everything(history.instances)
