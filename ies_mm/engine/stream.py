"""The endless order of an iteration-based training."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import torch
from mmengine.dist import get_rank, get_world_size
from torch import Tensor


@dataclass(frozen=True)
class Drawn:
    """One sample for every rank.

    Attributes:
        positions (list of int): Their positions in the data set.
        passes (list of int): The pass over the data that each belongs to.
        consumed (int): Positions shown or skipped up to here, over all
            passes; what is skipped before the next sample is in it.
    """

    positions: list[int]
    passes: list[int]
    consumed: int


class EndlessStream:
    """``InfiniteSampler``'s order, without the positions not selected.

    With everything selected it is the stream of
    :class:`mmengine.dataset.InfiniteSampler`, to the bit: one permutation
    after the other, dealt out over the ranks. A position that is not selected
    is skipped, which changes no later permutation.

    A new selection holds from the next sample drawn on. Workers draw ahead,
    so :attr:`drawn` says of every sample of the first iterator, in order,
    what had been consumed when it was drawn; whoever trains on it takes it
    off the left. Further iterators (a hook may read the training's loader)
    start where the first did and are not noted.

    Args:
        size (int): Length of the data set.
        shuffle (bool): Whether to shuffle.
        seed (int): Seed of the shuffling, the same on all ranks.
        consumed (int): Positions consumed before. Defaults to 0.
    """

    def __init__(
        self, size: int, shuffle: bool, seed: int, consumed: int = 0
    ) -> None:
        self.size = size
        self.drawn: deque[Drawn] = deque()
        self.seed = seed
        self._shuffle = shuffle
        self._start = consumed
        self._opened = False
        self._active = [True] * size

    def select(self, active: Tensor) -> None:
        """Skip the other positions from the next sample drawn on.

        Args:
            active (Tensor): bool (size,).
        """
        self._active = active.tolist()

    def shown_before(self) -> list[int]:
        """What the first pass had shown by then, if nothing was skipped."""
        _, order, first = next(self._passes())
        return order[:first]

    def __iter__(self) -> Iterator[int]:
        """The positions of this rank."""
        drawn = deque() if self._opened else self.drawn
        self._opened = True
        return self._of_rank(drawn)

    def _of_rank(self, drawn: deque[Drawn]) -> Iterator[int]:
        rank, world_size = get_rank(), get_world_size()
        stream = self._selected()
        while len(group := list(islice(stream, world_size))) == world_size:
            positions = [position for position, _, _ in group]
            passes = [number for _, number, _ in group]
            drawn.append(Drawn(positions, passes, group[-1][2]))
            yield positions[rank]

    def _selected(self) -> Iterator[tuple[int, int, int]]:
        """Position, pass and what is consumed with it, over all ranks."""
        for number, order, first in self._passes():
            if not any(self._active):
                return
            index = self._next(order, first)
            while index < self.size:
                following = self._next(order, index + 1)
                yield order[index], number, number * self.size + following
                # The selection may have changed meanwhile.
                index = self._next(order, following)

    def _passes(self) -> Iterator[tuple[int, list[int], int]]:
        """Number, order and first index of every pass that is left."""
        generator = torch.Generator()
        generator.manual_seed(self.seed)
        number = 0
        while True:
            order = self._order(generator)
            first = max(0, self._start - number * self.size)
            if first < self.size:
                yield number, order.tolist(), first
            number += 1

    def _order(self, generator: torch.Generator) -> Tensor:
        if self._shuffle:
            return torch.randperm(self.size, generator=generator)
        return torch.arange(self.size)

    def _next(self, order: list[int], index: int) -> int:
        """The first selected index from ``index`` on, or the end."""
        while index < self.size and not self._active[order[index]]:
            index += 1
        return index
