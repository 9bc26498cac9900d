"""Counting in ``EpochBasedTrainLoop``, whose epochs are passes."""

from dataclasses import replace
from typing import Any

import torch
from mmengine.dist import all_gather_object
from mmengine.runner import Runner
from torch import Tensor

from ies_mm.core import Selection
from ies_mm.errors import ConfigError
from ies_mm.training import mmengine_internals as internals
from ies_mm.training.data.sampler import IESSampler
from ies_mm.training.loop.batches import EpochBatches, sizes_of
from ies_mm.training.loop.pace import Pace
from ies_mm.training.loop.schedule import Schedule


class EpochPace(Pace):
    """Shorter epochs, over which the steps of schedules are spread.

    Raises:
        ConfigError: The loader makes no batch even of all images.
    """

    loop_ends_epochs = True
    length = 'max_epochs'

    def __init__(self, runner: Runner, sampler: IESSampler) -> None:
        super().__init__(runner, sampler)
        self.sampler = sampler
        self._batches = EpochBatches(runner.train_dataloader, sampler)
        # Counted from this start; only differences matter.
        self._schedule = Schedule(runner, 0)
        # Iterations of the unpruned run: before this epoch, in it, and up to
        # the last batch.
        self._behind = self._full = self._reached = 0
        self._pruned = self._ever_pruned = False
        self._planned = self._length = self._batches_of_all()

    @property
    def max_epochs(self) -> int:
        """The loop's number of epochs."""
        return self.runner.max_epochs

    @property
    def epochs_behind(self) -> int:
        """The loop's current epoch."""
        return self.runner.epoch

    def take(self, samples: int) -> list[tuple[int, int]]:
        """The current epoch; batches are never split between epochs."""
        return [(self.runner.epoch, samples)]

    def asked_for(self, ids: Tensor, selection: Selection) -> Tensor:
        """Whether each is selected; batch samplers may reorder images."""
        return selection.active[ids]

    def after_iteration(self, batch_idx: int) -> None:
        """Spread the steps of the full epoch evenly over this one."""
        done = batch_idx + 1
        if self._pruned:
            done = min(self._full, done * self._full // self._length)
        self._reached = self._behind + done
        self._schedule.advance(self._reached)

    def is_last(self, batch_idx: int) -> bool:
        """Judged by the actual batches, not by the loader's length."""
        return batch_idx + 1 == self._length

    def left_out(
        self, epoch: int, selection: Selection, trained: Tensor
    ) -> Tensor:
        """The instances neither selected nor trained.

        A dataset that fetches another image may show a pruned one.
        """
        return ~selection.active & ~trained

    def fill_batches(self, epoch: int, selection: Selection) -> Selection:
        """Re-include pruned images to fill batches, different ones each epoch.

        BatchNorm cannot train on a batch of one image, ``drop_last`` drops
        an incomplete batch, and ranks with unequal numbers of batches would
        wait for each other forever. If all images are re-included, the
        weights are dropped too.
        """
        if not selection.active.any():
            return selection
        active = selection.active.clone()
        while not active.all() and self._lacks_images(active, epoch):
            excluded = torch.nonzero(~active).flatten()
            # Not drawn at random: all processes must agree.
            active[excluded[epoch % len(excluded)]] = True
        if active.all() and not selection.active.all():
            return Selection.everything(len(active))
        return replace(selection, active=active)

    def announce_end(self) -> None:
        """Assume that the coming epochs are as long as this one.

        With everything selected, the end is the one the loop planned.

        Raises:
            ConfigError: The processes have unequal numbers of batches.
        """
        self._begin_epoch()
        self._agree_on_lengths()
        # Else as a plain run, which plans by `len` even where it is wrong.
        if self._batches.length_is_reliable or self._ever_pruned:
            ahead = self.max_epochs - self.runner.epoch
            self._set_max_iters(self.runner.iter + ahead * self._length)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the counts, and whether the run has ever pruned."""
        super().load_state_dict(state)
        self._ever_pruned = state['excluded'] > 0

    def stop(self, epochs: int) -> None:
        """Make this epoch the last one."""
        self._validate_by(self.max_epochs, epochs)
        internals.set_max_epochs(self.runner, epochs)
        self._set_max_iters(self.runner.iter)

    def _after_change(self) -> str:
        return (
            'epochs stay passes over the data, and schedules that count '
            'iterations make as many steps as the new epochs have'
        )

    def _begin_epoch(self) -> None:
        """Set this epoch's start in the unpruned run, and both lengths."""
        before = self._behind + self._full
        # A pruned epoch stands for a full one; otherwise the batches that came
        # count, which may be fewer than `len` promised.
        self._behind = before if self._pruned else self._reached
        self._pruned = self.sampler.selected < len(self.sampler.dataset)
        self._ever_pruned |= self._pruned
        if self._batches.length_is_reliable:
            self._length = len(self.runner.train_dataloader)
            self._full = self._planned if self._pruned else self._length
            return
        epoch = self.runner.epoch
        self._full = self._batches.count(self._batches.everything(), epoch)
        self._length = self._full
        if self._pruned:
            selected = self.sampler.positions
            self._length = self._batches.count(selected, epoch)

    def _agree_on_lengths(self) -> None:
        """Refuse an epoch in which processes would wait for each other.

        Schedules follow the longest full epoch, alike in all of them.
        """
        every = all_gather_object((self._full, self._length))
        self._full = max(full for full, _ in every)
        lengths = [length for _, length in every]
        if min(lengths) < max(lengths):
            kind = type(self.runner.train_dataloader.batch_sampler).__name__
            raise ConfigError(
                f'train_dataloader: in epoch {self.runner.epoch + 1}, {kind} '
                f'makes {min(lengths)} batches in one process and '
                f'{max(lengths)} in another, which would wait for it forever; '
                'set drop_last=False, and round_up=True in the sampler'
            )

    def _batches_of_all(self) -> int:
        """Number of batches of an epoch that trains on everything.

        Raises:
            ConfigError: There are none.
        """
        loader = self.runner.train_dataloader
        if self._batches.length_is_reliable:
            batches = len(loader)
        else:
            everything = self._batches.everything()
            batches = self._batches.count(everything, self.runner.epoch)
        if not len(loader.dataset):
            raise ConfigError(
                'train_dataloader.dataset has no images, or its filter_cfg '
                'drops all of them; check ann_file, data_prefix and '
                "metainfo.classes, which must be the annotations' names"
            )
        if not batches:
            raise ConfigError(
                f'train_dataloader makes no batch of {len(loader.dataset)} '
                f'images: batch_size={max(sizes_of(loader))} and drop_last='
                'True; lower batch_size, or set drop_last=False'
            )
        return batches

    def _lacks_images(self, active: Tensor, epoch: int) -> bool:
        shown = active[self.sampler.instances.of_position]
        if self._batches.length_is_reliable:
            return self._is_uneven(int(shown.sum()))
        positions = torch.nonzero(shown).flatten()
        sizes = self._batches.sizes(positions, epoch)
        alone = min(sizes_of(self.runner.train_dataloader)) > 1
        return (
            len({len(of_rank) for of_rank in sizes}) > 1
            or not sizes[0]
            or (alone and any(1 in of_rank for of_rank in sizes))
        )

    def _is_uneven(self, shown: int) -> bool:
        """Whether a rank has no batch, a batch of one, or more than others."""
        batches: Any = self.runner.train_dataloader.batch_sampler
        size = getattr(batches, 'batch_size', 1)
        samples = self.sampler.samples_of_ranks(shown)
        if getattr(batches, 'drop_last', False):
            counts = {n // size for n in samples}
            return len(counts) > 1 or 0 in counts
        counts = {-(-n // size) for n in samples}
        # A batch size of 1 is the user's own choice.
        lonely = size > 1 and any(n % size == 1 for n in samples)
        return lonely or len(counts) > 1
