"""Batch Loss Score (Zhou et al., CVPR 2026), pruning by InfoBatch's rule."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ies_mm.core import LossHistory, Standing
from ies_mm.core.arguments import check_number
from ies_mm.core.running import update_running
from ies_mm.methods.infobatch.rule import InfoBatch
from ies_mm.methods.method import Decision


class BatchLossScore(InfoBatch):
    """InfoBatch on a running mean of the losses of an instance's batches.

    For the arguments see :class:`ies_mm.engine.BatchLossScoreHook`.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: An argument is out of range.
    """

    name = 'Batch Loss Score'

    def __init__(
        self, ratio: float = 0.5, anneal: float = 0.125, alpha: float = 0.9
    ) -> None:
        super().__init__(ratio, anneal)
        check_number('alpha', alpha, 0, 1)
        self.alpha = alpha

    def reset(self) -> None:
        """Clear the scores: float64 (N,) of NaN, which means trained."""
        self.running = torch.full((self.instances,), torch.nan).double()

    def update(self, ids: Tensor, losses: Tensor, standing: Standing) -> None:
        """Update the scores of the observed instances."""
        losses = losses.double().sum(dim=1)
        # alpha weights the old score, the argument of update_running the new
        # one.
        update_running(self.running, ids, losses, 1 - self.alpha)

    def forget_level(self) -> None:
        """Clear the scores; instances are trained until observed again."""
        self.reset()

    def decide(
        self, history: LossHistory, names: Sequence[str], standing: Standing
    ) -> Decision:
        """Find the instances with low scores and prune some of them."""
        return self.prune(self.running, standing)

    def state_dict(self) -> dict[str, Any]:
        """The scores."""
        return {'running': self.running}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the scores from a checkpoint."""
        self.running = state['running']
