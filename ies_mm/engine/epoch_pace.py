"""Counting in ``EpochBasedTrainLoop``, whose epochs are passes already."""

from dataclasses import replace
from typing import Any

import torch
from mmengine.dist import get_world_size
from mmengine.runner import Runner
from torch import Tensor

from ies_mm.core import Selection
from ies_mm.engine.pace import Pace
from ies_mm.engine.sampler import IESSampler
from ies_mm.engine.schedule import Schedule


class EpochPace(Pace):
    """Epochs of fewer iterations, with schedules spread over them."""

    loop_ends_epochs = True

    def __init__(self, runner: Runner, sampler: IESSampler) -> None:
        super().__init__(runner, sampler)
        self._full_iterations = len(runner.train_dataloader)
        behind = runner.epoch * self._full_iterations
        self._schedule = Schedule(runner, behind)

    @property
    def max_epochs(self) -> int:
        """The loop's."""
        return self.runner.max_epochs

    @property
    def epochs_behind(self) -> int:
        """The loop's."""
        return self.runner.epoch

    def batch_epochs(self, samples: int) -> list[tuple[int, int]]:
        """A batch is never split between epochs."""
        return [(self.runner.epoch, samples)]

    def asked_for(self, ids: Tensor, selection: Selection) -> Tensor:
        """Batch samplers reorder: it asked for what is selected."""
        return selection.active[ids]

    def after_iteration(self, batch_idx: int) -> None:
        """Spread the steps of the full epoch evenly over this one."""
        full = self._full_iterations
        done = (batch_idx + 1) * full // len(self.runner.train_dataloader)
        self._schedule.advance(self.runner.epoch * full + done)

    def left_out(
        self, epoch: int, selection: Selection, trained: Tensor
    ) -> Tensor:
        """What was not selected, but for what was trained nevertheless.

        A data set that fetches another image may show an excluded one.
        """
        return ~selection.active & ~trained

    def fill_batches(self, epoch: int, selection: Selection) -> Selection:
        """Take excluded images back, other ones each time.

        BatchNorm cannot be trained on a batch of one image, and with
        ``drop_last`` less than a batch would be no batch at all. Where this
        takes all of them back, no weights are left either.
        """
        if not selection.active.any():
            return selection
        active = selection.active.clone()
        while not active.all() and self._lacks_images(active):
            excluded = torch.nonzero(~active).flatten()
            active[excluded[epoch % len(excluded)]] = True
        if active.all() and not selection.active.all():
            return Selection.everything(len(active))
        return replace(selection, active=active)

    def announce_end(self) -> None:
        """Count on the coming epochs to be as long as this one.

        With everything selected the end is what the loop planned.
        """
        ahead = self.max_epochs - self.runner.epoch
        length = len(self.runner.train_dataloader)
        self._set_max_iters(self.runner.iter + ahead * length)

    def stop(self, epochs: int) -> None:
        """The last epoch becomes this one."""
        self._validate_by(self.max_epochs, epochs)
        self.loop._max_epochs = epochs
        self._set_max_iters(self.runner.iter)

    def _lacks_images(self, active: Tensor) -> bool:
        batches: Any = self.runner.train_dataloader.batch_sampler
        size = getattr(batches, 'batch_size', 1)
        shown = int(active[self.sampler.instances.of_position].sum())
        samples = -(-shown // get_world_size())
        if getattr(batches, 'drop_last', False):
            return samples < size
        return samples % size == 1 < size
