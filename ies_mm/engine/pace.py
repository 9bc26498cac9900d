"""How a training loop counts epochs, iterations and its end.

An epoch is a pass over the data, whatever the loop counts. Skipped images
count as done: schedules stand where the unpruned run's stand, and what a
training is long for is told to MMEngine, which logs and saves by it.
"""

from abc import ABC, abstractmethod
from collections import defaultdict
from itertools import groupby
from typing import Any

import torch
from mmengine.dist import get_rank, get_world_size
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop, Runner
from torch import Tensor

from ies_mm.core import Selection
from ies_mm.engine.sampler import IESSampler
from ies_mm.engine.schedule import Schedule


class Pace(ABC):
    """What a selection hook asks of a loop.

    Args:
        runner (Runner): At the start of its training, everything selected.
        sampler (IESSampler): The training's sampler.
    """

    def __init__(self, runner: Runner, sampler: IESSampler) -> None:
        self.runner = runner
        self.loop: Any = runner.train_loop
        self.sampler = sampler

    @property
    @abstractmethod
    def max_epochs(self) -> int:
        """Epochs of the whole training; the last may be a part of one."""

    @property
    @abstractmethod
    def epochs_behind(self) -> int:
        """Epochs done when the training starts or is resumed."""

    @abstractmethod
    def batch_epochs(self, samples: int) -> list[tuple[int, int]]:
        """Which epoch, from 0, the next batch belongs to.

        Args:
            samples (int): Samples of this rank in the batch.

        Returns:
            list of tuple: (epoch, samples) in the batch's order.
        """

    @abstractmethod
    def begin_epoch(self, epoch: int) -> None:
        """Prepare ``epoch``, from 0, with the selection that is set."""

    @abstractmethod
    def after_iteration(self, batch_idx: int) -> None:
        """Move the schedules, before MMEngine's own step."""

    @property
    @abstractmethod
    def loop_ends_epochs(self) -> bool:
        """Whether the loop itself says when an epoch has ended."""

    @abstractmethod
    def is_over(self, epoch: int) -> bool:
        """Whether ``epoch`` has ended with this iteration."""

    @abstractmethod
    def left_out(
        self, epoch: int, selection: Selection, trained: Tensor
    ) -> Tensor:
        """The instances that ``epoch`` skipped.

        Args:
            epoch (int): From 0.
            selection (Selection): Of this epoch.
            trained (Tensor): bool (N,), what was trained.

        Returns:
            Tensor: bool (N,).
        """

    @abstractmethod
    def without_lone_sample(
        self, epoch: int, selection: Selection
    ) -> Selection:
        """``selection``, or more of it where one image would be a batch.

        BatchNorm cannot be trained on a batch of one image.

        Args:
            epoch (int): From 0, the one that is selected for.
            selection (Selection): Over all N instances.
        """

    @abstractmethod
    def end_iteration(self) -> None:
        """Tell the loop how many iterations there will be in all."""

    @abstractmethod
    def stop(self, epochs: int) -> None:
        """End the training after these epochs as if that had been planned.

        The last validation and checkpoint then come; ``stop_training`` would
        leave them out.
        """

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint has to keep."""

    @abstractmethod
    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint."""

    def _announce_end(self, iterations: int) -> None:
        self.loop._max_iters = iterations
        self.runner.message_hub.update_info('max_iters', iterations)


class EpochPace(Pace):
    """For ``EpochBasedTrainLoop``, whose epochs are passes already."""

    def __init__(self, runner: Runner, sampler: IESSampler) -> None:
        super().__init__(runner, sampler)
        self._full = len(runner.train_dataloader)
        self._schedule = Schedule(runner, runner.epoch * self._full)

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

    def begin_epoch(self, epoch: int) -> None:
        """Count on the coming epochs to be as long as this one.

        With everything selected the end is what the loop planned.
        """
        ahead = self.max_epochs - self.runner.epoch
        self._announce_end(
            self.runner.iter + ahead * len(self.runner.train_dataloader)
        )

    def after_iteration(self, batch_idx: int) -> None:
        """Spread the steps of the full epoch evenly over this one."""
        done = (
            (batch_idx + 1) * self._full // len(self.runner.train_dataloader)
        )
        self._schedule.advance(self.runner.epoch * self._full + done)

    @property
    def loop_ends_epochs(self) -> bool:
        """It calls ``after_train_epoch``."""
        return True

    def is_over(self, epoch: int) -> bool:
        """The loop says so."""
        return False

    def left_out(
        self, epoch: int, selection: Selection, trained: Tensor
    ) -> Tensor:
        """What was not selected, but for what was trained nevertheless.

        A data set that fetches another image may show an excluded one.
        """
        return ~selection.active & ~trained

    def without_lone_sample(
        self, epoch: int, selection: Selection
    ) -> Selection:
        """Take excluded images back, another one each time."""
        active = selection.active.clone()
        while active.any() and self._leaves_one(active):
            excluded = torch.nonzero(~active).flatten()
            if not len(excluded):
                break
            active[excluded[epoch % len(excluded)]] = True
        return Selection(active)

    def _leaves_one(self, active: Tensor) -> bool:
        """Whether the last batch of every rank would hold one sample."""
        batches: Any = self.runner.train_dataloader.batch_sampler
        shown = int(active[self.sampler.instances.of_position].sum())
        samples = -(-shown // get_world_size())
        return not batches.drop_last and samples % batches.batch_size == 1

    def end_iteration(self) -> None:
        """Nothing: said when the epoch began."""

    def stop(self, epochs: int) -> None:
        """The last epoch becomes this one."""
        self.loop._max_epochs = epochs
        self._announce_end(self.runner.iter)

    def state_dict(self) -> dict[str, Any]:
        """The loop's own count of epochs is enough."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The loop has been resumed already."""


class IterationPace(Pace):
    """For ``IterBasedTrainLoop``: ``max_iters`` is a budget of samples.

    The budget is what ``max_iters`` full batches hold. Samples trained and
    samples skipped use it up alike, so that skipping ends the run earlier.
    """

    def __init__(self, runner: Runner, sampler: IESSampler) -> None:
        super().__init__(runner, sampler)
        loader = runner.train_dataloader
        self._batch = loader.batch_size * get_world_size()
        self._size = len(sampler.dataset)
        self._budget = runner.max_iters * self._batch
        self._planned = runner.max_iters
        self._shown: dict[int, list[int]] = defaultdict(list)
        self._start(runner.iter * self._batch)
        if self._consumed % self._size:
            # Of a pass that a plain run began nothing will be left out.
            self._shown[self.epochs_behind].extend(range(self._size))

    @property
    def max_epochs(self) -> int:
        """Passes begun within the budget."""
        return -(-self._budget // self._size)

    @property
    def epochs_behind(self) -> int:
        """Passes ended before the next sample."""
        return self._consumed // self._size

    def batch_epochs(self, samples: int) -> list[tuple[int, int]]:
        """Batches do not stop at the end of a pass."""
        drawn = self.sampler.stream.drawn
        taken = [drawn.popleft() for _ in range(samples)]
        for sample in taken:
            for epoch, position in zip(
                sample.passes, sample.positions, strict=True
            ):
                self._shown[epoch].append(position)
        self._consumed = taken[-1].consumed
        epochs = [sample.passes[get_rank()] for sample in taken]
        return [(epoch, len(list(run))) for epoch, run in groupby(epochs)]

    def begin_epoch(self, epoch: int) -> None:
        """Nothing: the stream goes on."""

    def after_iteration(self, batch_idx: int) -> None:
        """Count iterations as the unpruned run would."""
        done = self._consumed // self._batch
        self._schedule.advance(min(done, self._planned))

    @property
    def loop_ends_epochs(self) -> bool:
        """To it the whole training is one epoch."""
        return False

    def is_over(self, epoch: int) -> bool:
        """Whether the last position of this pass is shown or skipped."""
        return self._consumed >= (epoch + 1) * self._size

    def left_out(
        self, epoch: int, selection: Selection, trained: Tensor
    ) -> Tensor:
        """What was not shown: a late selection is counted as it was."""
        shown = torch.tensor(self._shown.pop(epoch, []), dtype=torch.long)
        left_out = torch.ones(len(self.sampler.instances), dtype=torch.bool)
        left_out[self.sampler.instances.of_position[shown]] = False
        return left_out

    def without_lone_sample(
        self, epoch: int, selection: Selection
    ) -> Selection:
        """Batches of an endless stream are always full."""
        return selection

    def end_iteration(self) -> None:
        """What this pass has left to show, then whole passes like it."""
        iterations = self.runner.iter + 1
        if self._consumed < self._budget and self.sampler.selected:
            iterations += max(1, -(-self._samples_left() // self._batch))
        self._announce_end(iterations)

    def _samples_left(self) -> int:
        epoch, selected = self.epochs_behind, self.sampler.selected
        in_pass = min(
            selected - len(self._shown[epoch]), self._budget - self._consumed
        )
        ahead = max(0, self._budget - (epoch + 1) * self._size)
        return max(0, in_pass) + -(-ahead * selected // self._size)

    def stop(self, epochs: int) -> None:
        """No further iteration."""
        self._announce_end(self.runner.iter)

    def state_dict(self) -> dict[str, Any]:
        """Where the stream stands, for what has been trained."""
        shown = torch.zeros(self._size, dtype=torch.bool)
        shown[self._shown[self.epochs_behind]] = True
        return {'consumed': self._consumed, 'shown': shown}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on behind the last sample trained."""
        self._start(state['consumed'])
        shown = torch.nonzero(state['shown'].cpu()).flatten().tolist()
        self._shown.clear()
        self._shown[self.epochs_behind].extend(shown)

    def _start(self, consumed: int) -> None:
        self._consumed = consumed
        self._schedule = Schedule(self.runner, consumed // self._batch)
        self.sampler.endless(consumed)
        # An iterator made before knows nothing of the stream, and its workers
        # nothing of the numbering (mmengine up to 0.10.7 makes one at once).
        self.loop.dataloader._iterator = None
        self.loop.dataloader_iterator = type(self.loop.dataloader_iterator)(
            self.loop.dataloader
        )


def pace_of(runner: Runner, sampler: IESSampler) -> Pace:
    """The pace of a runner's training loop.

    Raises:
        TypeError: A loop of another kind; ``check_training`` refuses it.
    """
    if isinstance(runner.train_loop, EpochBasedTrainLoop):
        return EpochPace(runner, sampler)
    if isinstance(runner.train_loop, IterBasedTrainLoop):
        return IterationPace(runner, sampler)
    raise TypeError(f'no pace for {type(runner.train_loop).__name__}')
