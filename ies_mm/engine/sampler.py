"""The sampler that leaves excluded instances out."""

from collections.abc import Iterator, Sized

import torch
from mmengine.dataset import DefaultSampler
from mmengine.registry import DATA_SAMPLERS
from torch.utils.data import Sampler

from ies_mm.core import Selection
from ies_mm.engine.identity import InstanceMap


@DATA_SAMPLERS.register_module()
class IESSampler(Sampler[int]):
    """``DefaultSampler`` over the positions of the selected instances.

    With everything selected its stream is that of
    :class:`mmengine.dataset.DefaultSampler`, to the bit. It takes the same
    arguments, so ``sampler=dict(type='IESSampler')`` in a child config keeps
    what the base says. The hook calls :meth:`set_selection` between epochs;
    the sampler lives in the main process, so persistent workers follow.

    Args:
        dataset (Sized): The (wrapped) data set.
        shuffle (bool): Whether to shuffle. Defaults to True.
        seed (int, optional): Seed of the shuffling, the same on all ranks.
            Defaults to None, a random one that the ranks agree on.
        round_up (bool): Whether to repeat samples so that all ranks have
            equally many. Defaults to True.
    """

    def __init__(
        self,
        dataset: Sized,
        shuffle: bool = True,
        seed: int | None = None,
        round_up: bool = True,
    ) -> None:
        self.dataset = dataset
        self.user: object | None = None
        self._stream = DefaultSampler(dataset, shuffle, seed, round_up)
        self._positions = torch.arange(len(dataset))
        self._instances: InstanceMap | None = None

    @property
    def instances(self) -> InstanceMap:
        """The numbering that a selection speaks of."""
        if self._instances is None:
            self._instances = InstanceMap(self.dataset)
        return self._instances

    def set_selection(self, selection: Selection) -> None:
        """Yield the positions of these instances from the next epoch on.

        Args:
            selection (Selection): Over all N instances of the data set.
        """
        shown = selection.active[self.instances.of_position]
        self._positions = torch.nonzero(shown).flatten()
        before = self._stream
        self._stream = DefaultSampler(
            range(len(self._positions)),
            before.shuffle,
            before.seed,
            before.round_up,
        )
        self._stream.set_epoch(before.epoch)

    def set_epoch(self, epoch: int) -> None:
        """Shuffle for this epoch, as ``DefaultSampler`` does."""
        self._stream.set_epoch(epoch)

    def __iter__(self) -> Iterator[int]:
        """The positions of this rank, in the epoch's order."""
        if not len(self._positions):
            return iter(())
        return iter(self._positions[list(self._stream)].tolist())

    def __len__(self) -> int:
        """Number of samples of this rank in an epoch."""
        return len(self._stream)
