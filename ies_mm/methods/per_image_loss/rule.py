"""A method that selects everything."""

from collections.abc import Sequence

import torch

from ies_mm.core import LossHistory, Selection, Standing
from ies_mm.methods.method import Decision, Method


class Observation(Method):
    """Prunes nothing, so the losses are those of a plain run."""

    name = 'Per-image losses'
    refreshes = False
    observes_the_last_epoch = True

    def decide(
        self, history: LossHistory, names: Sequence[str], standing: Standing
    ) -> Decision:
        """Select everything."""
        nothing = torch.zeros(self.instances, dtype=torch.bool)
        return Decision(nothing, Selection.everything(self.instances))

    def forecast(self, standing: Standing) -> str:
        """State that nothing is pruned."""
        return f'recorded for {standing.instances} images, none is pruned'
