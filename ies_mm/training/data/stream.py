"""The endless sample order of an iteration-based training."""

import copy
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice

import torch
from mmengine.dist import get_rank, get_world_size
from torch import Tensor

Step = tuple[int, int, int]
"""A position, its pass, and the positions consumed up to it."""


@dataclass(frozen=True)
class Drawn:
    """One sample for every rank.

    Attributes:
        positions (list of int): Positions in the dataset.
        passes (list of int): The pass over the data that each belongs to.
        consumed (int): Positions shown or skipped so far, over all passes,
            including those skipped before the next sample.
    """

    positions: list[int]
    passes: list[int]
    consumed: int


class EndlessStream:
    """``InfiniteSampler``'s order without the unselected positions.

    With everything selected, it is bit for bit the stream of
    :class:`mmengine.dataset.InfiniteSampler`: one permutation after another,
    dealt out over the ranks. Unselected positions are skipped, which leaves
    later permutations unchanged.

    A new selection takes effect with the next sample drawn. Since workers
    draw ahead, :attr:`drawn` records, for every sample of the first iterator
    in order, what had been consumed when it was drawn; training on a sample
    pops it from the left. Further iterators (a hook may read the training's
    loader) start where the first did and are not recorded.

    Args:
        size (int): Length of the dataset.
        shuffle (bool): Whether to shuffle.
        seed (int): Seed of the shuffling, the same on all ranks.
        consumed (int): Positions consumed before. Defaults to 0.

    Attributes:
        read_aside (bool): Whether another iterator was begun after the
            training's.
    """

    def __init__(
        self, size: int, shuffle: bool, seed: int, consumed: int = 0
    ) -> None:
        self.drawn: deque[Drawn] = deque()
        self.seed = seed
        self.read_aside = False
        self._new_walk = partial(_Walk, size, shuffle, seed, consumed)
        self._walk = self._new_walk()
        self._opened = False
        self._is_training = True
        self._active = [True] * size

    def select(self, active: Tensor) -> None:
        """Skip the other positions from the next sample drawn on.

        Args:
            active (Tensor): bool (size,).
        """
        self._active = active.tolist()

    def shown_before(self) -> list[int]:
        """Positions shown before in its first pass, if none was skipped."""
        return self._new_walk().shown

    def consumed_after(self, batches: int, samples: int) -> list[int]:
        """The positions consumed after each of the coming batches.

        First the batches already drawn, then those that the current selection
        would give.

        Args:
            batches (int): How many to look ahead, at most.
            samples (int): Samples per batch and rank.

        Returns:
            list of int: As :attr:`Drawn.consumed`, one per batch; fewer if
            nothing is selected.
        """
        ends = [sample.consumed for sample in self.drawn]
        coming = self._groups(self._walk.copied())
        more = max(0, batches * samples - len(ends))
        ends += [group[-1][2] for group in islice(coming, more)]
        return ends[samples - 1 : batches * samples : samples]

    @contextmanager
    def training(self) -> Iterator[None]:
        """Treat the iterator begun inside as the training's.

        Loaders begin theirs late, with the first batch.
        """
        self._is_training = True
        try:
            yield
        finally:
            self._is_training = False

    def __iter__(self) -> Iterator[int]:
        """The positions of this rank."""
        if self._opened or not self._is_training:
            self.read_aside = self._opened
            # Nobody trains these samples, so what is drawn here is not kept.
            return self._of_rank(deque(), self._new_walk())
        self._opened = True
        return self._of_rank(self.drawn, self._walk)

    def _of_rank(self, drawn: deque[Drawn], walk: '_Walk') -> Iterator[int]:
        rank = get_rank()
        for group in self._groups(walk):
            positions = [position for position, _, _ in group]
            passes = [number for _, number, _ in group]
            drawn.append(Drawn(positions, passes, group[-1][2]))
            yield positions[rank]

    def _groups(self, walk: '_Walk') -> Iterator[list[Step]]:
        """One step for every rank."""
        # The selection is looked up for each step, so a new one acts at once,
        # even on iterators already begun.
        steps = iter(lambda: walk.next(self._active), None)
        world_size = get_world_size()
        while len(group := list(islice(steps, world_size))) == world_size:
            yield group


class _Walk:
    """A position in an endless order.

    Args:
        size (int): Length of the dataset.
        shuffle (bool): Whether to shuffle.
        seed (int): Seed of the shuffling.
        consumed (int): Positions consumed before.
    """

    def __init__(
        self, size: int, shuffle: bool, seed: int, consumed: int
    ) -> None:
        self._size = size
        self._shuffle = shuffle
        self._generator = torch.Generator()
        self._generator.manual_seed(seed)
        self._pass = consumed // size - 1
        # The generator gets where it was by drawing every earlier permutation.
        for _ in range(consumed // size):
            self._new_order()
        self._begin_pass()
        self._index = consumed % size

    @property
    def shown(self) -> list[int]:
        """The positions of this pass consumed so far."""
        return self._order[: self._index].tolist()

    def copied(self) -> '_Walk':
        """An independent copy that continues from here."""
        other = copy.copy(self)
        # copy.copy shares the generator, which would then draw for both.
        other._generator = torch.Generator()
        other._generator.set_state(self._generator.get_state())
        return other

    def next(self, active: list[bool]) -> Step | None:
        """Advance to the next selected position; None if there is none.

        Args:
            active (list of bool): Whether each position is selected.
        """
        # The selection may have changed since the last step.
        self._skip(active)
        if self._index == self._size:
            self._begin_pass()
            self._skip(active)
        if self._index == self._size:
            return None
        position = self._positions[self._index]
        self._index += 1
        # Also over what follows, so that a pass ends with its last shown
        # sample and not with the first one of the next pass.
        self._skip(active)
        consumed = self._pass * self._size + self._index
        return position, self._pass, consumed

    def _skip(self, active: list[bool]) -> None:
        index, order = self._index, self._positions
        while index < self._size and not active[order[index]]:
            index += 1
        self._index = index

    def _begin_pass(self) -> None:
        self._pass += 1
        self._index = 0
        self._order = self._new_order()
        self._positions = self._order.tolist()

    def _new_order(self) -> Tensor:
        if not self._shuffle:
            return torch.arange(self._size)
        return torch.randperm(self._size, generator=self._generator)
