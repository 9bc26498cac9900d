"""The sampler that skips pruned instances."""

from collections.abc import Iterable, Iterator, Sequence, Sized
from typing import Any, cast

import torch
from mmengine.dataset import DefaultSampler
from mmengine.dist import get_world_size
from mmengine.registry import DATA_SAMPLERS
from torch import Tensor
from torch.utils.data import Sampler

from ies_mm.core import Selection
from ies_mm.core.arguments import check_flag, check_integer
from ies_mm.errors import ConfigError
from ies_mm.training.data.identity import InstanceMap
from ies_mm.training.data.stream import Drawn, EndlessStream

OURS = "train_dataloader.sampler.type='IESSampler'"
NEEDS_A_HOOK = (
    f'{OURS} needs a selection hook, found none; add '
    "default_hooks=dict(ies=dict(type='IESHook', saved=0.2))"
)
WHAT_TO_DO = (
    "Write train_dataloader=dict(sampler=dict(_delete_=True, type='Default"
    "Sampler', shuffle=True)), in an iteration-based run type='InfiniteSampler"
    "', into a config that both runs inherit from"
)
"""Advice for a base whose sampler's order is not reproduced."""

REPEATS = 'RepeatAugSampler'
"""mmpretrain's sampler; ``num_repeats`` reproduces its order."""


def check_left_over(arguments: Iterable[str]) -> None:
    """Reject arguments that belong to another sampler.

    Args:
        arguments (iterable of str): Their names.

    Raises:
        ConfigError: ``arguments`` is not empty.
    """
    if names := ', '.join(arguments):
        raise ConfigError(
            f'train_dataloader.sampler: IESSampler does not take {names}, '
            f"which is left over from the base's sampler. {WHAT_TO_DO}"
        )


@DATA_SAMPLERS.register_module()
class IESSampler(Sampler[int]):
    """MMEngine's samplers, over the positions of the selected instances.

    With everything selected, its stream is bit for bit that of
    :class:`mmengine.dataset.DefaultSampler` or, in an iteration-based
    training, of :class:`mmengine.dataset.InfiniteSampler`. It accepts the
    arguments of both, so ``sampler=dict(type='IESSampler')`` in a child
    config keeps those of the base. The hook calls :meth:`set_selection`
    between epochs. The sampler runs in the main process, so a new selection
    reaches persistent workers too.

    Args:
        dataset (Sized): The (wrapped) dataset.
        shuffle (bool): Whether to shuffle. Defaults to True.
        seed (int, optional): Seed of the shuffling, the same on all ranks.
            Defaults to None, a random one that the ranks agree on.
        round_up (bool): Whether to repeat samples so that all ranks have
            equally many. Defaults to True. An endless stream needs no
            repeats.
        num_repeats (int): If above 1, the order is that of mmpretrain's
            ``RepeatAugSampler``: an epoch shows part of the images, each that
            many times in a row. Defaults to 1.
        **left_over: Must be empty. A child config may have inherited
            arguments of its base's sampler.

    Raises:
        ConfigError: ``left_over`` is not empty.
        TypeError: An argument is of the wrong type.
        ValueError: ``num_repeats`` is below 1, or ``seed`` below 0.
    """

    def __init__(
        self,
        dataset: Sized,
        shuffle: bool = True,
        seed: int | None = None,
        round_up: bool = True,
        num_repeats: int = 1,
        **left_over: Any,
    ) -> None:
        check_left_over(left_over)
        check_flag('shuffle', shuffle)
        check_flag('round_up', round_up)
        if seed is not None:
            check_integer('seed', seed, 0)
        check_integer('num_repeats', num_repeats, 1)
        self.dataset = dataset
        self._shuffle, self._round_up = shuffle, round_up
        self._num_repeats = num_repeats
        self.user: object | None = None
        self._epochs = self._order_of(dataset, seed)
        self._endless: EndlessStream | None = None
        self._positions = torch.arange(len(dataset))
        self._instances: InstanceMap | None = None

    @property
    def instances(self) -> InstanceMap:
        """The instance numbering that selections refer to."""
        if self._instances is None:
            self._instances = InstanceMap(self.dataset)
        return self._instances

    @property
    def seed(self) -> int:
        """Seed of the shuffling, the same on all ranks."""
        if self._endless is not None:
            return self._endless.seed
        return self._epochs.seed

    @property
    def positions(self) -> Tensor:
        """The selected positions, int64, ascending."""
        return self._positions

    @property
    def selected(self) -> int:
        """Number of selected positions, over all ranks."""
        return len(self._positions)

    @property
    def stream(self) -> EndlessStream:
        """The endless stream; see :meth:`endless`."""
        return cast(EndlessStream, self._endless)

    def endless(
        self,
        consumed: int,
        seed: int | None = None,
        fetched: Sequence[Drawn] = (),
    ) -> None:
        """Yield pass after pass without end, for an iteration-based loop.

        Args:
            consumed (int): Positions shown or skipped before.
            seed (int, optional): Seed of the resumed run. Defaults to None,
                the sampler's own.
            fetched (sequence of Drawn): See :class:`EndlessStream`. Defaults
                to none.

        Raises:
            ConfigError: ``num_repeats`` is above 1.
        """
        if self._num_repeats > 1:
            raise ConfigError(
                f'train_dataloader.sampler.num_repeats={self._num_repeats}: '
                'an endless stream repeats no images; remove it, or train in '
                'epochs (EpochBasedTrainLoop)'
            )
        self._endless = EndlessStream(
            len(self.dataset),
            self._shuffle,
            self._epochs.seed if seed is None else seed,
            consumed,
            fetched,
        )

    def set_selection(self, selection: Selection) -> None:
        """Yield only the positions of these instances from now on.

        An epoch already begun does not change; an endless stream skips the
        other instances from the next sample it draws.

        Args:
            selection (Selection): Over all N instances of the dataset.
        """
        shown = selection.active[self.instances.of_position]
        self._positions = torch.nonzero(shown).flatten()
        self.instances.keep(selection.active)
        if self._endless is not None:
            weight = selection.weight
            if weight is not None:
                weight = weight[self.instances.of_position]
            self._endless.select(shown, weight)
            return
        # A new one, since DefaultSampler fixes its length when it is made.
        self._epochs = self._epochs_over(self.selected, self._epochs.epoch)

    def samples_of_ranks(self, positions: int) -> list[int]:
        """Number of samples of each rank in an epoch over some positions.

        Args:
            positions (int): Number of positions.
        """
        world = get_world_size()
        if self._round_up:
            return [-(-positions // world)] * world
        return [len(range(rank, positions, world)) for rank in range(world)]

    def orders(self, positions: Tensor, epoch: int) -> list[list[int]]:
        """The order in which an epoch would yield positions on every rank.

        Args:
            positions (Tensor): int64, ascending.
            epoch (int): From 0.

        Returns:
            list of list of int: The positions of each rank, in order.
        """
        found = []
        for rank in range(get_world_size()):
            sampler = self._epochs_over(len(positions), epoch)
            # Both samplers read their rank only when they are iterated.
            sampler.rank = rank
            # DefaultSampler would divide by the number of positions.
            order = list(sampler) if len(positions) else []
            found.append(positions[order].tolist())
        return found

    def set_epoch(self, epoch: int) -> None:
        """Shuffle for this epoch, as ``DefaultSampler`` does.

        MMEngine calls this in every training, before the first batch.

        Raises:
            ConfigError: There is no selection hook.
        """
        if self.user is None and self._instances is None:
            raise ConfigError(NEEDS_A_HOOK)
        self._epochs.set_epoch(epoch)

    def __iter__(self) -> Iterator[int]:
        """The positions of this rank, in the epoch's order.

        Raises:
            ConfigError: The length of the dataset has changed.
        """
        if self._instances is not None:
            self._check_length(self._instances)
        if self._endless is not None:
            return iter(self._endless)
        # DefaultSampler would divide by zero.
        if not len(self._positions):
            return iter(())
        return iter(self._positions[list(self._epochs)].tolist())

    def __len__(self) -> int:
        """Samples of this rank per epoch; if endless, the dataset's length."""
        if self._endless is not None:
            return len(self.dataset)
        return len(self._epochs)

    def _epochs_over(self, count: int, epoch: int) -> Any:
        sampler = self._order_of(range(count), self._epochs.seed)
        sampler.set_epoch(epoch)
        return sampler

    def _order_of(self, images: Sized, seed: int | None) -> Any:
        """The sampler that determines an epoch's order, over some images."""
        if self._num_repeats == 1:
            return DefaultSampler(images, self._shuffle, seed, self._round_up)
        # Through the registry, since mmpretrain need not be installed.
        return DATA_SAMPLERS.build(
            dict(
                type=REPEATS,
                _scope_='mmpretrain',
                dataset=images,
                shuffle=self._shuffle,
                num_repeats=self._num_repeats,
                seed=seed,
            )
        )

    def _check_length(self, instances: InstanceMap) -> None:
        found, known = len(self.dataset), len(instances.of_position)
        if found != known:
            raise ConfigError(
                f'train_dataloader.dataset has {found} samples, and had '
                f'{known} when the training began; its images are identified '
                'by their positions, so do not change it during the training'
            )
