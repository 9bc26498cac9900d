"""A place in the endless order of an iteration-based training."""

import copy

import torch
from torch import Tensor

Step = tuple[int, int, int]
"""A position, its pass, and the positions consumed up to it."""


class Walk:
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

    def copied(self) -> 'Walk':
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
