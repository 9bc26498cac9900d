"""Random pruning, the control (IES, appendix D)."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from ies_mm.core import (
    LossHistory,
    PruningPeriod,
    PruningSchedule,
    Selection,
    Standing,
)
from ies_mm.core.arguments import (
    check_flag,
    check_integer,
    check_number,
    check_ratio,
)
from ies_mm.core.lengths import all_too_late, planned, too_much
from ies_mm.core.random_subset import Passes, all_but, random_part
from ies_mm.core.thresholds import budget_or, build_threshold
from ies_mm.methods.method import WEIGHTS, Decision, Method

Draw = Callable[[Tensor, float, torch.Generator], Tensor]


class RandomRemoval(Method):
    """Prunes randomly drawn instances every epoch.

    For the arguments see :class:`ies_mm.engine.RandomRemovalHook`.

    Raises:
        TypeError: An argument is of the wrong type, or both or neither of
            ``ratio`` and ``saved`` were given.
        ValueError: An argument is out of range.
    """

    name = 'Random Remove'
    reads_losses = False
    refreshes = False

    def __init__(
        self,
        ratio: float | dict | None = None,
        begin: int = 0,
        anneal: float = 0.0,
        rescale: bool = False,
        static: bool = False,
        saved: float | None = None,
        replacement: bool = True,
    ) -> None:
        ratio = budget_or('ratio', ratio, saved)
        self._part = _part_of(ratio)
        check_integer('begin', begin, 0)
        check_number('anneal', anneal, 0, 1)
        check_flag('rescale', rescale)
        check_flag('static', static)
        check_flag('replacement', replacement)
        if static and not replacement:
            raise ValueError(
                'static=True prunes the same instances every epoch, '
                'replacement=False others until all had their turn: give one'
            )
        if static:
            _check_grows(self._part)
        self.ratio = ratio
        self.begin = begin
        self.anneal = anneal
        self.rescale = rescale
        self.needs_steps = WEIGHTS if rescale else ''
        self.wants_strata = isinstance(ratio, dict) and bool(
            ratio.get('by_class')
        )
        self.static = static
        self.saved = saved
        self.replacement = replacement

    def reset(self) -> None:
        """Begin the passes anew."""
        self._passes = Passes()

    def period(self, standing: Standing) -> PruningPeriod:
        """The epochs that may prune images."""
        first = max(standing.begun, self.begin)
        return PruningPeriod(
            standing.epochs, first, self.begin, self.anneal, standing.last
        )

    def shortfall(self, standing: Standing) -> str:
        """Whether it is too short to prune anything, or enough."""
        period = self.period(standing)
        if isinstance(self._part, PruningSchedule):
            return too_much(self._part, period, standing)
        return all_too_late(self.name, period) if self._part else ''

    def forecast(self, standing: Standing) -> str:
        """What the schedule will prune."""
        if isinstance(self._part, PruningSchedule):
            return planned(self._part, self.period(standing), standing)
        return ''

    def first_selection(self, standing: Standing) -> Selection:
        """Draw for the first epoch, or the first after a plain run."""
        return self._drawn(standing)

    def decide(
        self, history: LossHistory, names: Sequence[str], standing: Standing
    ) -> Decision:
        """Draw at random; no instance is mastered."""
        return self.none_mastered(self._drawn(standing))

    def share(self, standing: Standing) -> float:
        """The fraction that the next epoch prunes."""
        if isinstance(self._part, float):
            return self._part
        return self._part.share(self.period(standing).quota(standing))

    def _drawn(self, standing: Standing) -> Selection:
        epoch, period = standing.epoch, self.period(standing)
        annealed = self.anneal > 0 and period.ahead(epoch) == 0
        if epoch < self.begin or annealed:
            return Selection.everything(self.instances)
        # With static, the same draw each epoch: the subset grows or shrinks.
        generator = self.generator(0 if self.static else epoch)
        strata = [torch.arange(self.instances)]
        if self.wants_strata:
            strata = [
                torch.nonzero(self.strata == label).flatten()
                for label in self.strata.unique()
            ]
        share = self.share(standing)
        draw = random_part if self.replacement else self._passes.all_but_next
        return random_removal(strata, share, generator, self.rescale, draw)

    def state_dict(self) -> dict[str, Any]:
        """What the current pass has not trained yet, if there is one."""
        # No entry without a pass: a run may be resumed with another value of
        # replacement.
        waiting = self._passes.waiting
        return {'waiting': waiting} if len(waiting) else {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on within the pass."""
        if 'waiting' in state:
            self._passes.waiting = state['waiting']


def random_removal(
    strata: Sequence[Tensor],
    ratio: float,
    generator: torch.Generator,
    rescale: bool = False,
    draw: Draw = random_part,
) -> Selection:
    """Prune the same random fraction of each stratum.

    Args:
        strata (sequence of Tensor): int64, the instances of each stratum;
            together all N.
        ratio (float): Fraction to prune, 0 <= ratio < 1. At least one
            instance is kept.
        generator (torch.Generator): Draws the pruned instances.
        rescale (bool): Whether kept instances are weighted by N over the
            number kept. Defaults to False: no weights.
        draw (callable): Draws a stratum's pruned instances, from the stratum,
            ``ratio`` and ``generator``.
    """
    instances = sum(map(len, strata))
    drawn = [draw(stratum, ratio, generator) for stratum in strata]
    dropped = torch.cat(drawn)[: instances - 1]
    active = all_but(dropped, instances)
    if not rescale:
        return Selection(active)
    factor = instances / (instances - len(dropped))
    # A pruned instance that is re-included to fill a batch counts once.
    return Selection(active, torch.where(active, factor, 1.0).float())


def _check_grows(part: float | PruningSchedule) -> None:
    """Refuse courses that return to everything, for a static subset."""
    course = getattr(part, 'course', 'even')
    if course not in ('even', 'rising'):
        raise ValueError(
            f'static=True only adds to what is pruned, and course={course!r} '
            "goes back to all images: give 'rising' or 'even', or leave "
            'static out'
        )


def _part_of(ratio: Any) -> float | PruningSchedule:
    """The fraction of the instances, or a schedule for it."""
    if not isinstance(ratio, dict):
        check_ratio('ratio', ratio)
        return float(ratio)
    if ratio.get('type') != 'Budget':
        raise ValueError(
            f"ratio={ratio!r}: give a number, or a dict of type 'Budget'"
        )
    threshold: Any = build_threshold(ratio, 'ratio')
    schedule: PruningSchedule = threshold.schedule
    return schedule
