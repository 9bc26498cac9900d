"""Batch Loss Score in a config."""

from typing import Any

from mmengine.registry import HOOKS

from ies_mm.methods.batch_loss_score.rule import BatchLossScore
from ies_mm.methods.batch_loss_score.steps import BatchLossSteps
from ies_mm.training.hook.mixing_options import SCORING
from ies_mm.training.hook.selection_hook import SelectionHook


@HOOKS.register_module()
class BatchLossScoreHook(SelectionHook):
    r"""Batch Loss Score (Zhou et al., CVPR 2026): no per-image losses.

    An instance is scored by a running mean of its batches' losses,
    :math:`s \leftarrow \alpha s + (1 - \alpha) L_B`, and pruned by
    InfoBatch's rule. It is the control for exact per-image losses: if it does
    as well as a method that uses them, they are not needed. Here the loss of
    a batch is the mean of its per-image losses, and the records hold it for
    every image.

    Args:
        ratio (float): See :class:`InfoBatchHook`. Defaults to 0.5.
        anneal (float): See :class:`InfoBatchHook`. Defaults to 0.125.
        alpha (float): Weight of the old score, 0 to 1. Defaults to 0.9, as
            in the authors' code; their README has 0.7.
        **common: ``keep_history``, ``allow_batch_augments``, ``fallback``,
            ``observe`` and ``scoring``, see :class:`SelectionHook`.

    Raises:
        TypeError: An argument is unknown or of the wrong type.
        ValueError: An argument is out of range.
    """

    steps = BatchLossSteps

    def __init__(
        self,
        ratio: float = 0.5,
        anneal: float = 0.125,
        alpha: float = 0.9,
        **common: Any,
    ) -> None:
        super().__init__(BatchLossScore(ratio, anneal, alpha), **common)
        if self.mixing.observe == SCORING:
            raise ValueError(
                f'observe={SCORING!r}: this method reads the losses of '
                'training batches; leave observe out'
            )
