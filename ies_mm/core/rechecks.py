"""When is a pruned instance rechecked?

The policies are pure functions of an instance's wait, the epoch of its last
observation, and the current epoch. :class:`Waits` stores the first two.
``IES.due`` and ``IES.due_for_training`` (methods/ies/rule.py) query them;
other methods have ``Method.due`` (methods/method.py). After every epoch,
``EpochCycle`` asks ``Source.due`` (training/hook/observing.py), which asks the
method. While training mixes images and ``observe='scoring'``,
``ByScoring.due`` decides instead.
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
"""Twice this wait must fit into the int32 of :class:`Waits`."""


class Recheck(ABC):
    """A recheck policy.

    ``wait`` is int32 (N,), the number of epochs between two observations of
    an instance, 0 while it is trained; ``seen`` is int32 (N,), the epoch of
    its last observation; epochs count from 1.

    Attributes:
        to_the_end (bool): Whether to recheck even if no decision follows.
    """

    to_the_end = False

    @abstractmethod
    def scored(self, wait: Tensor, seen: Tensor, epoch: int) -> Tensor:
        """Which pruned instances to score after ``epoch``, bool (N,)."""

    def trained(self, wait: Tensor, seen: Tensor, epoch: int) -> Tensor:
        """Which ``epoch`` trains, mastered or not, to observe; bool (N,)."""
        return torch.zeros_like(wait, dtype=torch.bool)

    def longer(self, wait: Tensor) -> Tensor:
        """The next wait of instances that were rechecked and stay pruned."""
        return wait.clamp(min=1)


@dataclass(frozen=True)
class Every(Recheck):
    """Rechecks all pruned instances every ``interval`` epochs.

    The paper uses 1; appendix F studies more. Continues to the end, as the
    authors' code does, so that the records are complete.

    Args:
        interval (int): Epochs between rechecks, at least 1.
    """

    interval: int = 1
    to_the_end = True

    def __post_init__(self) -> None:
        check_integer('refresh_interval', self.interval, 1)

    def scored(self, wait: Tensor, seen: Tensor, epoch: int) -> Tensor:
        """All, in every epoch divisible by ``interval``."""
        # True for trained instances as well, which the caller ignores.
        return torch.full_like(wait, epoch % self.interval == 0).bool()


@dataclass(frozen=True)
class Spaced(Recheck):
    """Rechecks each instance after 1 epoch, then 2 more, 4 more, ...

    If an instance is still mastered when rechecked, its wait doubles, up to
    ``cap``; otherwise it is re-included and starts over with 1 when it is
    next pruned.

    Args:
        cap (int): The longest wait in epochs, up to 2**30. Defaults to 8.
        by (str): ``'scoring'``: a forward pass after the last epoch of the
            wait; ``'training'``: the epoch after the wait trains it, which
            observes it without an extra forward pass. Defaults to
            ``'scoring'``.
    """

    cap: int = 8
    by: str = 'scoring'

    def __post_init__(self) -> None:
        check_integer('cap', self.cap, 1, LONGEST_WAIT)
        if self.by not in ('scoring', 'training'):
            raise ValueError(f"by={self.by!r}: give 'scoring' or 'training'")

    def scored(self, wait: Tensor, seen: Tensor, epoch: int) -> Tensor:
        """Those whose wait ends with ``epoch``."""
        if self.by == 'training':
            return torch.zeros_like(wait, dtype=torch.bool)
        return epoch - seen >= wait

    def trained(self, wait: Tensor, seen: Tensor, epoch: int) -> Tensor:
        """Those whose wait ended before ``epoch``."""
        if self.by == 'scoring':
            return super().trained(wait, seen, epoch)
        # Not >= as in scored(): here the epoch is still to be trained.
        return (wait > 0) & (epoch - seen > wait)

    def longer(self, wait: Tensor) -> Tensor:
        """Twice the wait, up to ``cap``."""
        return (2 * wait).clamp(min=1, max=self.cap)


class Waits:
    """The state that a policy reads: 8 bytes per instance.

    Args:
        instances (int): Number of instances N.
    """

    def __init__(self, instances: int) -> None:
        self.wait = torch.zeros(instances, dtype=torch.int32)
        self.seen = torch.zeros(instances, dtype=torch.int32)

    @one_thread()
    def observe(self, ids: Tensor, epoch: int) -> None:
        """Record which instances were observed in ``epoch``.

        Args:
            ids (Tensor): int64 (M,), instances.
            epoch (int): From 1.
        """
        self.seen.index_fill_(0, ids, epoch)

    @one_thread()
    def settle(self, policy: Recheck, chosen: Tensor, epoch: int) -> None:
        """Set the waits after the decision that follows ``epoch``.

        Args:
            policy (Recheck): How the waits grow.
            chosen (Tensor): bool (N,), mastered and to be pruned, now or
                right after its recheck.
            epoch (int): The epoch just trained, from 1.
        """
        looked_at = self.seen == epoch
        # A newly pruned instance still has the wait 0, which means trained.
        wait = self.wait.clamp(min=1)
        wait = torch.where(looked_at, policy.longer(self.wait), wait)
        self.wait = torch.where(chosen, wait, 0).int()

    def state_dict(self) -> dict[str, Tensor]:
        """The waits and the epochs of the last observations."""
        return {'wait': self.wait, 'seen': self.seen}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Restore what :meth:`state_dict` returned."""
        self.wait, self.seen = state['wait'], state['seen']


_TYPES: dict[str, type[Recheck]] = {'Spaced': Spaced}


def build_recheck(refresh_interval: Any) -> Recheck:
    """Build a policy from the ``refresh_interval`` of a config.

    Args:
        refresh_interval (int or dict): Epochs, or a dict with ``'Spaced'`` as
            ``type`` and its arguments.

    Raises:
        TypeError: It is neither, or an argument is unknown or has the wrong
            type.
        ValueError: There is no such type, or an argument is out of range.
    """
    check_is_no_text('refresh_interval', refresh_interval, 'type=Spaced cap=8')
    if not isinstance(refresh_interval, dict):
        return Every(refresh_interval)
    return build_of_type('refresh_interval', refresh_interval, _TYPES)
