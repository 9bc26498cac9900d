"""Random draws that are spread evenly over the epochs."""

from typing import Any

import torch
from torch import Tensor

from ies_mm.core.threads import one_thread


class Turns:
    """Draws instances at even intervals, as often as their probabilities say.

    The probabilities of an instance add up from epoch to epoch, and it has
    one turn, at a random point, between each integer and the next. So over
    any epochs it is drawn about as often as they add up to, where independent
    draws would leave that to chance; with equal probabilities no instance is
    drawn again before all others (jittered sampling, along the epochs).

    Each draw has a fixed size, so an instance may come earlier or later than
    its turn: those most overdue are drawn.

    Attributes:
        summed (Tensor): float64 (N,), sum of the probabilities so far; empty
            before the first draw.
        due (Tensor): float64 (N,), the sum at which each is drawn next.
    """

    def __init__(self) -> None:
        self.summed = torch.empty(0, dtype=torch.double)
        self.due = torch.empty(0, dtype=torch.double)

    @one_thread()
    def draw(self, chance: Tensor, generator: torch.Generator) -> Tensor:
        """Draw the instances most overdue.

        Args:
            chance (Tensor): float64 (N,), 0 to 1, with an integer sum.
            generator (torch.Generator): Draws the turns.

        Returns:
            Tensor: bool (N,), with as many True entries as the sum.
        """
        place = torch.rand(
            len(chance), generator=generator, dtype=torch.double
        )
        if not len(self.summed):
            self.summed, self.due = torch.zeros_like(chance), place.clone()
        self.summed = self.summed + chance
        count = int(chance.sum().round())
        # Stable, so that the order is the same on every machine.
        late = (self.summed - self.due).argsort(descending=True, stable=True)
        drawn = torch.zeros(len(chance), dtype=torch.bool)
        drawn[late[:count]] = True
        following = self.due.floor() + 1 + place
        self.due = torch.where(drawn, following, self.due)
        return drawn

    def state_dict(self) -> dict[str, Tensor]:
        """The sums and turns; empty before the first draw."""
        if not len(self.summed):
            return {}
        return {'summed': self.summed, 'due': self.due}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned."""
        if 'due' in state:
            self.summed, self.due = state['summed'], state['due']
