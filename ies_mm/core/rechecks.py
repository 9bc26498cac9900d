"""When is an instance that was left out looked at again?

The policies are pure: they read how long an instance is to wait, when it was
last observed and which epoch it is. :class:`Waits` keeps the two numbers.
``IES.due`` (methods/ies/rule.py) asks them after every epoch.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ies_mm.core.arguments import (
    build_of_type,
    check_integer,
    check_is_no_text,
)
from ies_mm.core.threads import one_thread

LONGEST_WAIT = 2**30
"""Twice as long must fit into the int32 of :class:`Waits`."""


class Recheck(ABC):
    """A policy.

    ``wait`` is int32 (N,), how many epochs an instance stays away between two
    observations, 0 where it is trained; ``seen`` is int32 (N,), the epoch of
    its last observation; epochs count from 1.

    Attributes:
        to_the_end (bool): Whether to look also where no decision follows.
    """

    to_the_end = False

    @abstractmethod
    def scored(self, wait: Tensor, seen: Tensor, epoch: int) -> Tensor:
        """Which of the left out are scored after ``epoch``, bool (N,)."""

    def trained(self, wait: Tensor, seen: Tensor, epoch: int) -> Tensor:
        """Which ``epoch`` trains, mastered or not, to see them; bool (N,)."""
        return torch.zeros_like(wait, dtype=torch.bool)

    def longer(self, wait: Tensor) -> Tensor:
        """The next wait of what was looked at and stays out."""
        return wait.clamp(min=1)


@dataclass(frozen=True)
class Every(Recheck):
    """All of them, every so many epochs (paper: 1; appendix F: more).

    To the end, as the paper's program does, so that the records have it.

    Args:
        interval (int): Epochs, at least 1.
    """

    interval: int = 1
    to_the_end = True

    def __post_init__(self) -> None:
        check_integer('refresh_interval', self.interval, 1)

    def scored(self, wait: Tensor, seen: Tensor, epoch: int) -> Tensor:
        """All, in epochs that ``interval`` divides."""
        return torch.full_like(wait, epoch % self.interval == 0).bool()


@dataclass(frozen=True)
class Spaced(Recheck):
    """Each at its own time: after 1 epoch, then 2 more, 4 more, ...

    An instance that is still mastered when it is looked at waits twice as
    long for the next look, up to ``cap``; one that is not is trained again,
    and starts over with 1 when it is next left out.

    Args:
        cap (int): The longest wait, in epochs, to 2**30. Defaults to 8.
        by (str): ``'scoring'``, a forward pass after the last epoch of the
            wait; or ``'training'``, the epoch after the wait trains it, which
            observes it without any further forward pass. Defaults to
            ``'scoring'``.
    """

    cap: int = 8
    by: str = 'scoring'

    def __post_init__(self) -> None:
        check_integer('cap', self.cap, 1, LONGEST_WAIT)
        if self.by not in ('scoring', 'training'):
            raise ValueError(f"by={self.by!r}: give 'scoring' or 'training'")

    def scored(self, wait: Tensor, seen: Tensor, epoch: int) -> Tensor:
        """Those whose wait is over with ``epoch``."""
        if self.by == 'training':
            return torch.zeros_like(wait, dtype=torch.bool)
        return epoch - seen >= wait

    def trained(self, wait: Tensor, seen: Tensor, epoch: int) -> Tensor:
        """Those whose wait was over before ``epoch``."""
        if self.by == 'scoring':
            return super().trained(wait, seen, epoch)
        return (wait > 0) & (epoch - seen > wait)

    def longer(self, wait: Tensor) -> Tensor:
        """Twice as long."""
        return (2 * wait).clamp(min=1, max=self.cap)


class Waits:
    """What a policy reads, of every instance: 8 bytes each.

    Args:
        instances (int): Number of instances N.
    """

    def __init__(self, instances: int) -> None:
        self.wait = torch.zeros(instances, dtype=torch.int32)
        self.seen = torch.zeros(instances, dtype=torch.int32)

    @one_thread()
    def observe(self, ids: Tensor, epoch: int) -> None:
        """Note what was observed in ``epoch``.

        Args:
            ids (Tensor): int64 (M,), instances.
            epoch (int): From 1.
        """
        self.seen.index_fill_(0, ids, epoch)

    @one_thread()
    def settle(self, policy: Recheck, chosen: Tensor, epoch: int) -> None:
        """Set the waits after the decision that follows ``epoch``.

        Args:
            policy (Recheck): How they grow.
            chosen (Tensor): bool (N,), mastered and to be left out, now or as
                soon as it has been looked at.
            epoch (int): The epoch just trained, from 1.
        """
        looked_at = self.seen == epoch
        wait = self.wait.clamp(min=1)
        wait = torch.where(looked_at, policy.longer(self.wait), wait)
        self.wait = torch.where(chosen, wait, 0).int()

    def state_dict(self) -> dict[str, Tensor]:
        """Both tensors."""
        return {'wait': self.wait, 'seen': self.seen}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Take over what :meth:`state_dict` gave."""
        self.wait, self.seen = state['wait'].cpu(), state['seen'].cpu()


_TYPES: dict[str, type[Recheck]] = {'Spaced': Spaced}


def build_recheck(refresh_interval: Any) -> Recheck:
    """A policy from what a config gives as ``refresh_interval``.

    Args:
        refresh_interval (int or dict): Epochs, or a dict with ``'Spaced'`` as
            ``type`` and its arguments.

    Raises:
        TypeError: Neither of them, or an argument is unknown or of the wrong
            type.
        ValueError: There is no such type, or an argument is out of range.
    """
    check_is_no_text('refresh_interval', refresh_interval, 'type=Spaced cap=8')
    if not isinstance(refresh_interval, dict):
        return Every(refresh_interval)
    return build_of_type('refresh_interval', refresh_interval, _TYPES)
