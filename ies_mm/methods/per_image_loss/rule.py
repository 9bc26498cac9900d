"""A method that selects everything."""

from collections.abc import Sequence

import torch

from ies_mm.core import LossHistory, Selection, Standing
from ies_mm.methods.method import Decision, Method


class Observation(Method):
    """Leaves nothing out, so that the losses are those of a plain run."""

    name = 'Per-image losses'
    needs_steps = 'records the losses of training steps'
    refreshes = False

    def decide(
        self, history: LossHistory, names: Sequence[str], standing: Standing
    ) -> Decision:
        """Nothing is judged."""
        nothing = torch.zeros(self.instances, dtype=torch.bool)
        return Decision(nothing, Selection.everything(self.instances))

    def forecast(self, standing: Standing) -> str:
        """What a user can count on."""
        return f'recorded for {standing.instances} images, none is left out'
