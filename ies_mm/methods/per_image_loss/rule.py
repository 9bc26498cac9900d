"""A method that selects everything."""

from collections.abc import Sequence

from ies_mm.core import LossHistory, Standing
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
        return self.none_mastered()

    def forecast(self, standing: Standing) -> str:
        """State that nothing is pruned."""
        return f'recorded for {standing.instances} images, none is pruned'
