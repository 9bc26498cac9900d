"""The endless sample order of an iteration-based training."""

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice

import torch
from mmengine.dist import get_rank, get_world_size
from torch import Tensor

from ies_mm.training.data.walk import Step, Walk


@dataclass(frozen=True)
class Drawn:
    """One sample for every rank.

    Attributes:
        positions (list of int): Positions in the dataset.
        passes (list of int): The pass over the data that each belongs to.
        consumed (int): Positions shown or skipped so far, over all passes,
            including those skipped before the next sample.
        weights (list of float): Factors on their losses, by the selection
            under which they were drawn.
    """

    positions: list[int]
    passes: list[int]
    consumed: int
    weights: list[float]


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
        fetched (sequence of Drawn): Samples that workers had fetched when the
            resumed run was saved; they come first, whatever is selected now.
            Defaults to none.

    Attributes:
        read_aside (bool): Whether another iterator was begun after the
            training's.
    """

    def __init__(
        self,
        size: int,
        shuffle: bool,
        seed: int,
        consumed: int = 0,
        fetched: Sequence[Drawn] = (),
    ) -> None:
        self.drawn: deque[Drawn] = deque()
        self.seed = seed
        self.read_aside = False
        self._fetched = tuple(fetched)
        self._again = deque(fetched)
        start = fetched[-1].consumed if fetched else consumed
        self._new_walk = partial(Walk, size, shuffle, seed, start)
        self._walk = self._new_walk()
        self._opened = False
        self._is_training = True
        self.select(torch.ones(size, dtype=torch.bool))

    def select(self, active: Tensor, weight: Tensor | None = None) -> None:
        """Skip the other positions from the next sample drawn on.

        Args:
            active (Tensor): bool (size,).
            weight (Tensor, optional): float32 (size,), factors on the losses.
                Defaults to None, 1 for all.
        """
        if weight is None:
            weight = torch.ones(len(active))
        self._active, self._weight = active.tolist(), weight.tolist()

    @property
    def fetched(self) -> list[Drawn]:
        """Samples drawn, but not trained yet, in order."""
        return [*self.drawn, *self._again]

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
        ends = [sample.consumed for sample in self.fetched]
        coming = self._samples(self._walk.copied())
        more = max(0, batches * samples - len(ends))
        ends += [sample.consumed for sample in islice(coming, more)]
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
            again, walk = deque(self._fetched), self._new_walk()
            return self._of_rank(deque(), again, walk)
        self._opened = True
        return self._of_rank(self.drawn, self._again, self._walk)

    def _of_rank(
        self, drawn: deque[Drawn], again: deque[Drawn], walk: Walk
    ) -> Iterator[int]:
        rank = get_rank()
        while again:
            drawn.append(again.popleft())
            yield drawn[-1].positions[rank]
        for sample in self._samples(walk):
            drawn.append(sample)
            yield sample.positions[rank]

    def _samples(self, walk: Walk) -> Iterator[Drawn]:
        for group in self._groups(walk):
            positions = [position for position, _, _ in group]
            passes = [number for _, number, _ in group]
            weights = [self._weight[position] for position in positions]
            yield Drawn(positions, passes, group[-1][2], weights)

    def _groups(self, walk: Walk) -> Iterator[list[Step]]:
        """One step for every rank."""
        # The selection is looked up for each step, so a new one acts at once,
        # even on iterators already begun.
        steps = iter(lambda: walk.next(self._active), None)
        world_size = get_world_size()
        while len(group := list(islice(steps, world_size))) == world_size:
            yield group
