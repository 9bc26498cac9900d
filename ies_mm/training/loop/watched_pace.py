"""Counting along with a loop whose images any sampler draws.

Nothing is left out, so there is no schedule to move and no end to announce.
"""

from itertools import groupby
from typing import Any

import torch
from mmengine.dataset import DefaultSampler
from mmengine.dist import all_gather_object, get_rank, get_world_size
from mmengine.runner import EpochBasedTrainLoop, Runner
from torch import Tensor

from ies_mm.core import Selection
from ies_mm.training.data.any_sampler import AnySampler
from ies_mm.training.loop.batches import sampler_of
from ies_mm.training.loop.pace import Pace


class WatchedPace(Pace):
    """Says which epoch a batch belongs to, and changes nothing."""

    def asked_for(self, ids: Tensor, selection: Selection) -> Tensor:
        """Only the user's own sampler knows what it asked for."""
        return torch.ones_like(ids, dtype=torch.bool)

    def after_iteration(self, batch_idx: int) -> None:
        """The schedules are MMEngine's own."""
        return

    def left_out(
        self, epoch: int, selection: Selection, trained: Tensor
    ) -> Tensor:
        """Nothing; what the sampler did not draw is not observed."""
        return torch.zeros_like(trained)

    def announce_end(self) -> None:
        """It is where the loop planned it."""
        return

    def stop(self, epochs: int) -> None:
        """An observer ends no training."""
        return

    def _after_change(self) -> str:
        return 'the records go on, an epoch of them being as many images'


class WatchedEpochs(WatchedPace):
    """The epochs of ``EpochBasedTrainLoop``."""

    loop_ends_epochs = True
    length = 'max_epochs'

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


class WatchedIterations(WatchedPace):
    """In ``IterBasedTrainLoop`` an epoch is one length of the dataset.

    That many samples, counted over all processes, are a pass of
    ``InfiniteSampler``, to the sample: a batch may belong to two of them. A
    ``DefaultSampler`` ends its passes itself, with a smaller batch, so there
    an epoch is as many batches as it makes. Of other samplers no pass is
    known, and batch samplers that reorder images carry some into the next
    one: an epoch may then observe an image twice, or not at all.

    Iterations are counted, not samples, so that all processes agree.
    """

    loop_ends_epochs = False
    length = 'max_iters'

    def __init__(self, runner: Runner, sampler: AnySampler) -> None:
        super().__init__(runner, sampler)
        self._per_epoch = self._samples_of_epoch()
        self._go_on_after(runner.iter * self._batch_samples)

    @property
    def max_epochs(self) -> int:
        """Epochs begun within ``max_iters``."""
        return -(-self._planned // self._per_epoch)

    @property
    def epochs_behind(self) -> int:
        """Epochs ended before the next sample."""
        return self._consumed // self._per_epoch

    def batch_epochs(self, samples: int) -> list[tuple[int, int]]:
        """The samples are dealt out over the processes one by one."""
        first, step = self._consumed + get_rank(), get_world_size()
        self._consumed += self._batch_samples
        places = range(first, first + samples * step, step)
        epochs = [place // self._per_epoch for place in places]
        return [(epoch, len(list(run))) for epoch, run in groupby(epochs)]

    def is_over(self, epoch: int) -> bool:
        """Whether its last sample was trained."""
        return self._consumed >= (epoch + 1) * self._per_epoch

    def state_dict(self) -> dict[str, Any]:
        """How many samples were trained, beside what every pace keeps."""
        return super().state_dict() | {'consumed': self._consumed}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on behind the last sample trained."""
        super().load_state_dict(state)
        self._go_on_after(state['consumed'])

    def _go_on_after(self, consumed: int) -> None:
        ahead = max(0, self._planned_length - self.runner.iter)
        self._consumed = consumed
        self._planned = consumed + ahead * self._batch_samples

    def _samples_of_epoch(self) -> int:
        loader = self.runner.train_dataloader
        if isinstance(sampler_of(loader), DefaultSampler):
            batches = max(all_gather_object(len(loader)))
            return max(1, batches) * self._batch_samples
        return len(loader.dataset)


def watched_pace(runner: Runner, sampler: AnySampler) -> WatchedPace:
    """The one for a runner's loop.

    Args:
        runner (Runner): At the start of its training.
        sampler (AnySampler): In the place of its sampler.
    """
    if isinstance(runner.train_loop, EpochBasedTrainLoop):
        return WatchedEpochs(runner, sampler)
    return WatchedIterations(runner, sampler)
