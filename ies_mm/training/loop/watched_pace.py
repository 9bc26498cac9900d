"""Counting along with a loop whose images any sampler draws.

Nothing is pruned, so no schedule is advanced and no end announced.
"""

from itertools import groupby
from typing import Any

import torch
from mmengine.dataset import DefaultSampler
from mmengine.dist import all_gather_object, get_rank, get_world_size
from mmengine.runner import Runner
from torch import Tensor

from ies_mm.core import Selection
from ies_mm.training.data.any_sampler import AnySampler
from ies_mm.training.loop.batches import sampler_of
from ies_mm.training.loop.pace import Pace


class WatchedPace(Pace):
    """Determines the epochs of batches without changing anything."""

    def asked_for(self, ids: Tensor, selection: Selection) -> Tensor:
        """Always True; only the user's own sampler knows."""
        return torch.ones_like(ids, dtype=torch.bool)

    def after_iteration(self, batch_idx: int) -> None:
        """Do nothing; the schedules are MMEngine's own."""
        return

    def left_out(
        self, epoch: int, selection: Selection, trained: Tensor
    ) -> Tensor:
        """No instances; images not drawn are just not observed."""
        return torch.zeros_like(trained)

    def announce_end(self) -> None:
        """Do nothing; the end is where the loop planned it."""
        return

    def stop(self, epochs: int) -> None:
        """Do nothing; an observer does not end a training run."""
        return

    def _after_change(self) -> str:
        return 'the records continue, with as many images per epoch as before'


class WatchedEpochs(WatchedPace):
    """Epochs as in ``EpochBasedTrainLoop``."""

    loop_ends_epochs = True
    length = 'max_epochs'

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


class WatchedIterations(WatchedPace):
    """Epochs of one dataset length each in ``IterBasedTrainLoop``.

    Counted over all processes, that many samples are exactly a pass of
    ``InfiniteSampler``, so a batch may belong to two epochs. A
    ``DefaultSampler`` ends its passes itself with a smaller batch, so its
    epochs are counted in batches. The passes of other samplers are not known,
    and batch samplers that reorder images carry some into the next pass: an
    epoch may then observe an image twice or not at all.

    Iterations are counted, not samples, so that all processes agree.
    """

    loop_ends_epochs = False
    length = 'max_iters'

    def __init__(self, runner: Runner, sampler: AnySampler) -> None:
        super().__init__(runner, sampler)
        self._per_epoch = self._samples_of_epoch()
        self._continue_after(runner.iter * self._batch_samples)

    @property
    def max_epochs(self) -> int:
        """Epochs begun within ``max_iters``."""
        return -(-self._planned // self._per_epoch)

    @property
    def epochs_behind(self) -> int:
        """Epochs completed before the next sample."""
        return self._consumed // self._per_epoch

    def take(self, samples: int) -> list[tuple[int, int]]:
        """The epochs of the samples, which are dealt out one per process."""
        first, step = self._consumed + get_rank(), get_world_size()
        self._consumed += self._batch_samples
        places = range(first, first + samples * step, step)
        epochs = [place // self._per_epoch for place in places]
        return [(epoch, len(list(run))) for epoch, run in groupby(epochs)]

    def is_over(self, epoch: int) -> bool:
        """Whether the last sample of ``epoch`` was trained."""
        return self._consumed >= (epoch + 1) * self._per_epoch

    def state_dict(self) -> dict[str, Any]:
        """The number of samples trained, besides the state of every pace."""
        return super().state_dict() | {'consumed': self._consumed}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue after the last sample trained."""
        super().load_state_dict(state)
        self._continue_after(state['consumed'])

    def _continue_after(self, consumed: int) -> None:
        ahead = max(0, self._planned_length - self.runner.iter)
        self._consumed = consumed
        self._planned = consumed + ahead * self._batch_samples

    def _samples_of_epoch(self) -> int:
        loader = self.runner.train_dataloader
        if isinstance(sampler_of(loader), DefaultSampler):
            # Aspect ratio groups can give ranks unequal numbers of batches.
            batches = max(all_gather_object(len(loader)))
            return max(1, batches) * self._batch_samples
        return len(loader.dataset)
