"""Below which flatness is an instance mastered?

A threshold is a level times a scale. The scale belongs to what is judged, the
summed loss or each term by itself, so that a small box loss counts beside a
large classification loss; the level is one number for all.
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
from ies_mm.core.removed import check_removed

SMALLEST_SCALE = 1e-12
"""A term that is zero throughout is divided by this."""


@dataclass(frozen=True)
class Progress(Quota):
    """Where a training stands when its thresholds are asked for.

    Attributes:
        first_loss (Tensor): float64 (C,), mean loss of the first epoch, of
            each of the C columns that are judged.
    """

    first_loss: Tensor


class Threshold(ABC):
    """How the limits of mastered instances are set."""

    def scale(self, progress: Progress) -> Tensor:
        """What each column is measured in, float64 (C,)."""
        return torch.ones_like(progress.first_loss)

    @abstractmethod
    def level(self, scores: Tensor, progress: Progress) -> float:
        """Instances whose score is below this are mastered.

        Args:
            scores (Tensor): float64 (N,), flatness in units of the scale; NaN
                where there is none yet.
            progress (Progress): Where the training stands.
        """

    def mastered(
        self, scores: Tensor, progress: Progress
    ) -> tuple[Tensor, float]:
        """The instances below the level.

        Args:
            scores (Tensor): As for :meth:`level`.
            progress (Progress): As for :meth:`level`.

        Returns:
            tuple: The mastered, bool (N,), and the level.
        """
        level = self.level(scores, progress)
        return scores < level, level


@dataclass(frozen=True)
class Fixed(Threshold):
    r"""The paper's: :math:`m_i < \delta`.

    Args:
        delta (float): In units of the loss. 0 masters nothing.
    """

    delta: float

    def __post_init__(self) -> None:
        check_number('delta', self.delta, 0)

    def level(self, scores: Tensor, progress: Progress) -> float:
        """``delta``."""
        return self.delta


@dataclass(frozen=True)
class Relative(Threshold):
    r"""Of the mean loss of the first epoch: :math:`m_i < f \bar L(1)`.

    With ``factor=4.34e-4`` and a first loss near that of a uniform guess,
    ln 10 and ln 100, it gives the authors' 1e-3 for CIFAR-10 and 2e-3 for
    CIFAR-100. Costs nothing. It knows the loss's scale, not its noise: where
    the noise is a larger part of the loss (detectors), nothing gets below.

    Args:
        factor (float): f.
    """

    factor: float

    def __post_init__(self) -> None:
        check_number('factor', self.factor, 0)

    def scale(self, progress: Progress) -> Tensor:
        """The mean loss of the first epoch."""
        return progress.first_loss.clamp(min=SMALLEST_SCALE)

    def level(self, scores: Tensor, progress: Progress) -> float:
        """``factor``."""
        return self.factor


@dataclass(frozen=True)
class Budget(Threshold):
    """Leaves out what is needed to save a share of the training.

    The flattest, as many as :class:`ies_mm.core.budget.PruningSchedule`
    says. Of instances that are exactly as flat some are drawn, others each
    epoch. Costs nothing.

    Args:
        saved (float): The share of all instance-epochs, 0 to 0.9.
        course (str): How much in which epochs: ``'rising'``, ``'even'``,
            ``'oscillating'`` or ``'annealed'``. Defaults to ``'rising'``.
        cap (float): The largest part of the instances that is left out of an
            epoch, above 0 to 0.9. Defaults to 0.9.
        by_class (bool): Leave the same part of every class out; an image of
            several belongs to its rarest. Defaults to False.
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
        """How many of an epoch."""
        return PruningSchedule(self.saved, self.course, self.cap)

    def scale(self, progress: Progress) -> Tensor:
        """The mean loss of the first epoch."""
        return progress.first_loss.clamp(min=SMALLEST_SCALE)

    def level(self, scores: Tensor, progress: Progress) -> float:
        """The flatness of the first instance that is to be trained.

        Where others as flat as that one are to be left out, just above it.
        """
        known = scores[~scores.isnan()]
        count = self.schedule.count(progress)
        if count <= 0:
            return 0.0
        if count > len(known):
            return torch.inf
        if count == len(known):
            return math.nextafter(float(known.max()), math.inf)
        # The first behind ``count`` others, without sorting all of them.
        level = known.kthvalue(count + 1).values
        if int((known < level).sum()) < count:
            level = torch.nextafter(level, level.new_tensor(torch.inf))
        return float(level)

    def mastered(
        self, scores: Tensor, progress: Progress
    ) -> tuple[Tensor, float]:
        """The flattest, as many as are to be left out; ties are drawn."""
        level = self.level(scores, progress)
        mastered = scores < level
        count = self.schedule.count(progress)
        surplus = int(mastered.sum()) - count
        if surplus > 0:
            # The least flat of them are all equal.
            equal = torch.nonzero(scores == scores[mastered].max()).flatten()
            # By the epoch, so that all processes, and a run that goes on from
            # a checkpoint, draw the same, and each epoch others.
            draw = torch.Generator().manual_seed(int(progress.epochs_ahead))
            order = torch.randperm(len(equal), generator=draw)
            mastered[equal[order[:surplus]]] = False
        return mastered, level


_TYPES: dict[str, type[Threshold]] = {
    'Relative': Relative,
    'Budget': Budget,
}


def build_threshold(delta: Any) -> Threshold:
    """A threshold from what a config gives as ``delta``.

    Args:
        delta (float, dict or Threshold): A number, or a dict with the name of
            a threshold as ``type`` and its arguments.

    Raises:
        TypeError: Neither of them, or an argument is unknown or of the wrong
            type.
        ValueError: There is no such type, or an argument is out of range.
    """
    if isinstance(delta, Threshold):
        return delta
    check_is_no_text('delta', delta, 'type=Budget saved=0.2')
    if not isinstance(delta, dict):
        return Fixed(delta)
    check_removed('delta', [str(delta.get('type'))])
    return build_of_type('delta', delta, _TYPES)


def budget_or(name: str, value: Any, saved: float | None) -> Any:
    """``value``, or the budget of a hook that was given ``saved`` instead.

    Args:
        name (str): Of the argument that ``saved`` stands for.
        value (Any): What was given for it, or None.
        saved (float, optional): The share of all instance-epochs.

    Raises:
        TypeError: Both were given, or neither.
    """
    if (value is None) == (saved is None):
        found = 'neither' if saved is None else 'both'
        raise TypeError(
            f'found {found} of {name} and saved: give one of them; '
            "_delete_=True drops what the base's hook was given"
        )
    return value if saved is None else dict(type='Budget', saved=saved)
