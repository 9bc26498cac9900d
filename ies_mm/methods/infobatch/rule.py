"""InfoBatch's rule (Qin et al., ICLR 2024, section 3.2)."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ies_mm.core import LossHistory, Selection, Standing, may_prune
from ies_mm.core.arguments import check_number, check_ratio
from ies_mm.core.random_subset import all_but, random_part
from ies_mm.methods.method import WEIGHTS, Decision, Method


class InfoBatch(Method):
    """Soft pruning with rescaled losses.

    For the arguments see :class:`ies_mm.engine.InfoBatchHook`.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: An argument is out of range.
    """

    name = 'InfoBatch'
    needs_steps = WEIGHTS
    refreshes = False

    def __init__(self, ratio: float = 0.5, anneal: float = 0.125) -> None:
        check_ratio('ratio', ratio)
        check_number('anneal', anneal, 0, 1)
        self.ratio = ratio
        self.anneal = anneal

    def decide(
        self, history: LossHistory, names: Sequence[str], standing: Standing
    ) -> Decision:
        """Find the well-learned instances and prune some of them."""
        return self.prune(history.last_sums(), standing)

    def prune(self, scores: Tensor, standing: Standing) -> Decision:
        """Select the instances of the next epoch by their scores.

        Args:
            scores (Tensor): float (N,), see :func:`infobatch`.
            standing (Standing): State after the epoch just trained.
        """
        # Also where nothing may be pruned: the records count the well-learned.
        generator = self.generator(standing.epoch)
        below, selection = infobatch(scores, self.ratio, generator)
        if may_prune(standing.epoch, standing.epochs, anneal=self.anneal):
            return Decision(below, selection)
        return Decision(below, Selection.everything(self.instances))


def well_learned(scores: Tensor) -> Tensor:
    """Instances whose score is below the mean score.

    Args:
        scores (Tensor): float (N,). Instances with a NaN or infinite score
            are not well learned and are excluded from the mean.

    Returns:
        Tensor: bool (N,).
    """
    # Without any finite score the mean is NaN, and no score is below it.
    finite = torch.isfinite(scores)
    return finite & (scores < scores[finite].double().mean())


def infobatch(
    scores: Tensor, ratio: float, generator: torch.Generator
) -> tuple[Tensor, Selection]:
    """InfoBatch's soft pruning.

    Prunes a random fraction ``ratio`` of the well-learned instances. The
    others of them get weight ``1 / (1 - ratio)``, so that the expected loss
    of an epoch is that of all instances.

    Args:
        scores (Tensor): float (N,), the last loss of every instance.
        ratio (float): r, 0 <= r < 1.
        generator (torch.Generator): Draws the pruned instances.

    Returns:
        tuple: The well-learned instances, bool (N,), and the selection.
    """
    below = well_learned(scores)
    candidates = torch.nonzero(below).flatten()
    dropped = random_part(candidates, ratio, generator)
    weight = torch.ones(len(scores))
    weight[candidates] = 1 / (1 - ratio)
    # A pruned instance that is re-included to fill a batch counts once.
    weight[dropped] = 1
    return below, Selection(all_but(dropped, len(scores)), weight)
