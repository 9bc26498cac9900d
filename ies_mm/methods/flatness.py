"""Base class of methods that judge an image by the flatness of its loss."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from ies_mm.core import Criterion, PruningPeriod, PruningSchedule, Standing
from ies_mm.core.arguments import check_integer, check_number
from ies_mm.core.first_loss import FirstLoss
from ies_mm.core.lengths import planned, too_much, too_short
from ies_mm.methods.method import Method


class FlatnessMethod(Method):
    """A method that applies a criterion to the loss curves.

    It needs several observations of an image to judge it, and normalises by
    the losses at the start of training.

    Args:
        criterion (Criterion): Measures how flat a curve is.
        schedule (PruningSchedule, optional): How much to prune, and when;
            None if that follows from the losses.
        begin (int): First epoch, from 1, after which images may be pruned.
        anneal (float): Final fraction of the epochs, 0 to 1, that trains on
            everything.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: An argument is out of range.
    """

    def __init__(
        self,
        criterion: Criterion,
        schedule: PruningSchedule | None,
        begin: int,
        anneal: float,
    ) -> None:
        check_integer('begin', begin, 1)
        check_number('anneal', anneal, 0, 1)
        self.criterion = criterion
        self.schedule = schedule
        self.depth = criterion.depth
        self.begin = begin
        self.anneal = anneal

    def reset(self) -> None:
        """Clear the first loss."""
        self.first_loss = FirstLoss()

    def period(self, standing: Standing) -> PruningPeriod:
        """The epochs that may prune images."""
        first = max(standing.after(self.criterion.needed), self.begin)
        return PruningPeriod(
            standing.epochs, first, self.begin, self.anneal, standing.last
        )

    def shortfall(self, standing: Standing) -> str:
        """Whether it is too short to prune anything, or enough."""
        period = self.period(standing)
        short = too_short(self.name, period, self.criterion)
        # Not both: a run too short to prune at all cannot save enough,
        # either.
        if short or self.schedule is None:
            return short
        return too_much(self.schedule, period, standing)

    def forecast(self, standing: Standing) -> str:
        """What the schedule will prune."""
        if self.schedule is None:
            return ''
        return planned(self.schedule, self.period(standing), standing)

    def check_terms(self, names: Sequence[str]) -> None:
        """Refuse unknown terms at the first batch, not after an epoch."""
        self.criterion.columns(names)

    def update(self, ids: Tensor, losses: Tensor, standing: Standing) -> None:
        """Record the mean loss of the first epoch."""
        self.first_loss.update(losses)

    def state_dict(self) -> dict[str, Any]:
        """The first loss."""
        return self.first_loss.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned."""
        self.first_loss.load_state_dict(state)
