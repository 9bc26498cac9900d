"""Batches for a scoring pass, made by the training's batch sampler."""

from collections.abc import Iterator
from typing import Any

from torch.utils.data import BatchSampler, DataLoader

from ies_mm.training.loop.batches import (
    GivenOrder,
    copied,
    largest_size,
    sizes_of,
)


class DueBatches:
    """Batches like the training's, with every image that is due.

    A user's own batch sampler may drop the images that fill no batch, or hold
    them over to the next pass, whatever its ``drop_last`` says.

    Args:
        train_loader (DataLoader): The training loader.
        order (GivenOrder): The positions of each pass.
        batch_size (int, optional): Images per batch; None for the training's.
    """

    def __init__(
        self,
        train_loader: DataLoader,
        order: GivenOrder,
        batch_size: int | None,
    ) -> None:
        self._order = order
        self._size = batch_size or largest_size(train_loader)
        self._batches = _batches_like(train_loader, order, batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        due = {*self._order.given}
        rest = dict.fromkeys(self._order.given)
        for batch in self._batches:
            wanted = [position for position in batch if position in due]
            for position in wanted:
                rest.pop(position, None)
            if wanted:
                yield wanted
        yield from BatchSampler([*rest], self._size, drop_last=False)

    def __len__(self) -> int:
        """About how many; aspect ratios and parts can make more."""
        return -(-len(self._order) // self._size)


def _batches_like(
    train_loader: DataLoader, order: GivenOrder, batch_size: int | None
) -> Any:
    """The training's batch sampler over another order."""
    original: Any = train_loader.batch_sampler
    batches = copied(original, order)
    # Those of OpenMMLab and PyTorch then give every image.
    batches.drop_last = False
    if batch_size is not None:
        parts = len(sizes_of(train_loader))
        # A user's own batch sampler may have no batch_size.
        several = isinstance(getattr(original, 'batch_size', 1), list)
        batches.batch_size = [batch_size] * parts if several else batch_size
    return batches
