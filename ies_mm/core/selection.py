"""Which instances the next epoch trains, and with which weight."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

NUDGE = 1e-9
"""Keeps 30 * (1 - 0.1) at 27 whatever its last bit is."""


@dataclass(frozen=True)
class Selection:
    """The instances of one epoch.

    Args:
        active (Tensor): bool (N,), True where the instance is trained.
        weight (Tensor, optional): float32 (N,), what an instance's share of
            the loss is multiplied by. Defaults to None, 1 for all.
    """

    active: Tensor
    weight: Tensor | None = None

    @classmethod
    def everything(cls, instances: int) -> 'Selection':
        """All instances."""
        return cls(torch.ones(instances, dtype=torch.bool))

    @property
    def excluded(self) -> Tensor:
        """int64 (E,), the instances left out."""
        return torch.nonzero(~self.active).flatten()

    def weights_of(self, ids: Tensor) -> Tensor | None:
        """Weights of a batch.

        Args:
            ids (Tensor): int64 (B,), instances.

        Returns:
            Tensor: float32 (B,), or None where all are 1.
        """
        if self.weight is None:
            return None
        weights = self.weight[ids]
        return None if (weights == 1).all() else weights


def may_exclude(
    epoch: int, max_epochs: int, begin: int = 1, anneal: float = 0.0
) -> bool:
    """Whether the epoch after ``epoch`` may leave anything out.

    Args:
        epoch (int): The epoch just trained, from 1.
        max_epochs (int): Epochs of the whole training.
        begin (int): First epoch after which anything may be excluded.
        anneal (float): Last part of the epochs that trains on everything
            (paper, appendix B: 0.1 for ImageNet).
    """
    return begin <= epoch < _last_selected(max_epochs, anneal)


def _last_selected(max_epochs: int, anneal: float) -> int:
    """The last epoch, from 1, that is not annealed."""
    return math.floor(max_epochs * (1 - anneal) + NUDGE)


@dataclass(frozen=True)
class Course:
    """Which epochs of a training may leave something out.

    Attributes:
        epochs (float): Epochs of the whole training.
        first (int): The first epoch after which anything can be excluded.
        begin (int): See :func:`may_exclude`.
        anneal (float): See :func:`may_exclude`.
    """

    epochs: float
    first: int
    begin: int = 1
    anneal: float = 0.0

    def may_exclude(self, epoch: int) -> bool:
        """Whether the epoch after ``epoch`` may leave something out."""
        return may_exclude(epoch, int(self.epochs), self.begin, self.anneal)

    def ahead(self, epoch: int) -> int:
        """How many epochs after ``epoch`` may leave something out."""
        last = _last_selected(int(self.epochs), self.anneal)
        return max(0, last - max(epoch, self.begin))

    @property
    def able(self) -> int:
        """How many epochs may leave something out."""
        return self.ahead(self.first)

    @property
    def shortest(self) -> float:
        """The shortest training, in epochs, that can leave something out."""
        if self.anneal == 1:
            return math.inf
        first = max(self.first, self.begin)
        about = math.ceil((first + 1 - NUDGE) / (1 - self.anneal))
        # What rounding does to it is found by trying.
        lengths = range(max(first, about - 1), about + 2)
        able = (
            length
            for length in lengths
            if may_exclude(first, length, self.begin, self.anneal)
        )
        return next(able, lengths.stop)
