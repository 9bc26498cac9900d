"""The flatness below which an instance is mastered.

A threshold is a level times a scale. The level is a single number; the scale
is that of the summed loss or of each judged term, so that a small box loss
counts beside a large classification loss.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ies_mm.core.arguments import (
    build_of_type,
    check_flag,
    check_is_no_text,
    check_number,
)
from ies_mm.core.budget import MOST_LEFT_OUT, PruningSchedule, Quota
from ies_mm.core.random_subset import generator_of
from ies_mm.core.removed import check_removed

SMALLEST_SCALE = 1e-12
"""Scale of a term that is always zero."""


@dataclass(frozen=True)
class Progress(Quota):
    """Where a training run stands when a threshold is computed.

    Attributes:
        first_loss (Tensor): float64 (C,), mean loss of the first epoch, per
            judged column.
        seed (int): Seed of what a threshold draws, the same on all ranks.
            Defaults to 0.
    """

    first_loss: Tensor
    seed: int = 0


class Threshold(ABC):
    """How to set the limit below which instances are mastered."""

    def scale(self, progress: Progress) -> Tensor:
        """The unit of each column, float64 (C,)."""
        return torch.ones_like(progress.first_loss)

    @abstractmethod
    def level(self, scores: Tensor, progress: Progress) -> float:
        """The score below which instances are mastered.

        Args:
            scores (Tensor): float64 (N,), flatness in units of the scale; NaN
                where there is none yet.
            progress (Progress): Where the training stands.
        """

    def mastered(
        self, scores: Tensor, progress: Progress
    ) -> tuple[Tensor, float]:
        """Find the instances below the level.

        Args:
            scores (Tensor): As for :meth:`level`.
            progress (Progress): As for :meth:`level`.

        Returns:
            tuple: The mastered instances, bool (N,), and the level.
        """
        level = self.level(scores, progress)
        return scores < level, level


@dataclass(frozen=True)
class Fixed(Threshold):
    r"""The paper's threshold: :math:`m_i < \delta`.

    Args:
        delta (float): In units of the loss. 0 masters nothing.
    """

    delta: float

    def __post_init__(self) -> None:
        check_number('delta', self.delta, 0)

    def level(self, scores: Tensor, progress: Progress) -> float:
        """``delta``."""
        return self.delta


class OfFirstLoss(Threshold):
    """A threshold in units of the first epoch's mean loss."""

    def scale(self, progress: Progress) -> Tensor:
        """The mean loss of the first epoch."""
        # 0 / 0 would be NaN, and with terms='all' nothing would be mastered.
        return progress.first_loss.clamp(min=SMALLEST_SCALE)


@dataclass(frozen=True)
class Relative(OfFirstLoss):
    r"""A fraction of the first epoch's mean loss: :math:`m_i < f \bar L(1)`.

    With ``factor=4.34e-4`` and a first loss near that of a uniform guess,
    ln 10 or ln 100, it gives the authors' 1e-3 for CIFAR-10 and 2e-3 for
    CIFAR-100. It costs nothing. It adapts to the scale of the loss, not to
    its noise: if that is a larger part of the loss (detectors), no instance
    gets below it.

    Args:
        factor (float): f.
    """

    factor: float

    def __post_init__(self) -> None:
        check_number('factor', self.factor, 0)

    def level(self, scores: Tensor, progress: Progress) -> float:
        """``factor``."""
        return self.factor


@dataclass(frozen=True)
class Budget(OfFirstLoss):
    """Prunes as much as is needed to save a share of the training.

    It prunes the flattest instances, as many as
    :class:`ies_mm.core.budget.PruningSchedule` says. Ties are broken at
    random, anew each epoch. It costs nothing.

    Args:
        saved (float): The share of all instance-epochs, 0 to 0.9.
        course (str): How much in which epochs: ``'rising'``, ``'even'``,
            ``'oscillating'`` or ``'annealed'``. Defaults to ``'rising'``.
        cap (float): The largest part of the instances that may be pruned
            from an epoch, above 0 to 0.9. Defaults to 0.9.
        by_class (bool): Prune the same part of every class; an image of
            several classes counts as its rarest. Defaults to False.
    """

    saved: float
    course: str = 'rising'
    cap: float = MOST_LEFT_OUT
    by_class: bool = False

    def __post_init__(self) -> None:
        PruningSchedule(self.saved, self.course, self.cap)
        check_flag('by_class', self.by_class)

    @property
    def schedule(self) -> PruningSchedule:
        """How many instances each epoch prunes."""
        return PruningSchedule(self.saved, self.course, self.cap)

    def level(self, scores: Tensor, progress: Progress) -> float:
        """The flatness of the flattest instance to be trained.

        Just above it if equally flat ones are to be pruned.
        """
        known = scores[~scores.isnan()]
        count = self.schedule.count(progress)
        if count <= 0:
            # Flatness is never negative, so nothing is below 0.
            return 0.0
        if count > len(known):
            # Criterion.judge takes it as a sign to judge all instances.
            return torch.inf
        if count == len(known):
            return math.nextafter(float(known.max()), math.inf)
        # The one after the ``count`` lowest, without sorting all of them.
        level = known.kthvalue(count + 1).values
        if int((known < level).sum()) < count:
            level = torch.nextafter(level, level.new_tensor(torch.inf))
        return float(level)

    def mastered(
        self, scores: Tensor, progress: Progress
    ) -> tuple[Tensor, float]:
        """The flattest, as many as are to be pruned; ties are random."""
        mastered, level = super().mastered(scores, progress)
        surplus = int(mastered.sum()) - self.schedule.count(progress)
        if surplus > 0:
            # The surplus lies among the least flat, which are all equal.
            equal = torch.nonzero(scores == scores[mastered].max()).flatten()
            # All ranks and resumed runs draw the same ones, each epoch and
            # each seed different ones.
            draw = generator_of(progress.seed, int(progress.epochs_ahead))
            order = torch.randperm(len(equal), generator=draw)
            mastered[equal[order[:surplus]]] = False
        return mastered, level


_TYPES: dict[str, type[Threshold]] = {
    'Relative': Relative,
    'Budget': Budget,
}


def build_threshold(delta: Any, name: str = 'delta') -> Threshold:
    """Build a threshold from an argument of a config.

    Args:
        delta (float, dict or Threshold): A number, or a dict with the name of
            a threshold as ``type`` and its arguments.
        name (str): The argument's name, for errors. Defaults to ``'delta'``.

    Raises:
        TypeError: It is neither, or an argument is unknown or has the wrong
            type.
        ValueError: There is no such type, or an argument is out of range.
    """
    if isinstance(delta, Threshold):
        return delta
    check_is_no_text(name, delta, 'type=Budget saved=0.2')
    if not isinstance(delta, dict):
        return Fixed(delta)
    # Before build_of_type, which would call a removed type unknown.
    check_removed(name, [str(delta.get('type'))])
    return build_of_type(name, delta, _TYPES)


def budget_or(name: str, value: Any, saved: float | None) -> Any:
    """``value``, or a budget if the hook was given ``saved`` instead.

    Args:
        name (str): Name of the argument that ``saved`` replaces.
        value (Any): The value given for it, or None.
        saved (float, optional): The share of all instance-epochs.

    Raises:
        TypeError: Both were given, or neither.
    """
    if (value is None) == (saved is None):
        found = 'neither' if saved is None else 'both'
        raise TypeError(
            f'found {found} of {name} and saved: give one of them; '
            "_delete_=True drops the arguments of the base's hook"
        )
    return value if saved is None else dict(type='Budget', saved=saved)
