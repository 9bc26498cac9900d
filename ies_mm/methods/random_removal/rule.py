"""Random removal, the control (IES, appendix D)."""

from collections.abc import Sequence
from typing import Any

import torch

from ies_mm.core import (
    Course,
    LossHistory,
    PruningSchedule,
    Selection,
    Standing,
)
from ies_mm.core.arguments import check_integer, check_ratio
from ies_mm.core.chance import all_but, random_part
from ies_mm.core.thresholds import Budget, build_threshold
from ies_mm.methods.method import Decision, Method


class RandomRemoval(Method):
    """Leaves out as many instances every epoch, drawn anew, unweighted.

    For the arguments see :class:`ies_mm.engine.RandomRemovalHook`.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: An argument is out of range.
    """

    name = 'Random Remove'

    def __init__(self, ratio: float | dict, begin: int = 0) -> None:
        self._part = _part_of(ratio)
        check_integer('begin', begin, 0)
        self.ratio = ratio
        self.begin = begin

    def first_selection(self, standing: Standing) -> Selection:
        """Leave out of the first epoch, or the first after a plain run."""
        return self._drawn(standing)

    def decide(
        self, history: LossHistory, names: Sequence[str], standing: Standing
    ) -> Decision:
        """Nothing is judged."""
        nothing = torch.zeros(self.instances, dtype=torch.bool)
        return Decision(nothing, self._drawn(standing))

    def share(self, standing: Standing) -> float:
        """The part that the next epoch leaves out."""
        if isinstance(self._part, float):
            return self._part
        course = Course(standing.epochs, self.begin, self.begin)
        return self._part.share(course.quota(standing))

    def _drawn(self, standing: Standing) -> Selection:
        if standing.epoch < self.begin:
            return Selection.everything(self.instances)
        generator = self.generator(standing.epoch)
        return random_removal(self.instances, self.share(standing), generator)


def random_removal(
    instances: int, ratio: float, generator: torch.Generator
) -> Selection:
    """Leave out a random part of the instances, without any weights.

    Args:
        instances (int): Number of instances N.
        ratio (float): The part left out, 0 <= ratio < 1. One instance is
            always left.
        generator (torch.Generator): Draws what is left out.
    """
    dropped = random_part(torch.arange(instances), ratio, generator)
    dropped = dropped[: instances - 1]
    return Selection(all_but(dropped, instances))


def _part_of(ratio: Any) -> float | PruningSchedule:
    """A part of the instances, or what sets it from epoch to epoch."""
    if not isinstance(ratio, dict):
        check_ratio('ratio', ratio)
        return float(ratio)
    threshold = build_threshold(ratio)
    if not isinstance(threshold, Budget):
        raise ValueError(
            f"ratio={ratio!r}: give a number, or a dict of the type 'Budget'"
        )
    return PruningSchedule(threshold.saved)
