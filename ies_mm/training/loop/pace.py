"""What a selection hook needs from a training loop.

An epoch is a pass over the data, whatever the loop counts. Skipped images
count as done: schedules follow the unpruned run's, and MMEngine, which logs
and saves by it, is told how long the training will be.
"""

from abc import ABC, abstractmethod
from typing import Any

from mmengine.dist import get_world_size
from mmengine.runner import Runner
from torch import Tensor

from ies_mm.core import Selection
from ies_mm.errors import ConfigError
from ies_mm.training import mmengine_internals as internals
from ies_mm.training.data.any_sampler import AnySampler
from ies_mm.training.data.sampler import IESSampler
from ies_mm.training.loop.batches import largest_size
from ies_mm.training.loop.optimisers import optim_wrappers

REPLACED = (
    'the data loader of the training was replaced while it runs, and the '
    'images of another one have no numbers; replace it before the training '
    'starts, or train without a selection hook'
)


class Pace(ABC):
    """How a loop counts epochs, iterations and its end.

    Args:
        runner (Runner): At the start of its training; everything is selected.
        sampler (IESSampler or AnySampler): The training's sampler.
    """

    loop_ends_epochs: bool
    """Whether the loop itself signals the end of an epoch."""

    length: str
    """Config key of the training's length."""

    def __init__(
        self, runner: Runner, sampler: IESSampler | AnySampler
    ) -> None:
        self.runner = runner
        self.loop: Any = runner.train_loop
        self._loader = self.loop.dataloader
        self._planned_length = int(getattr(self.loop, self.length))
        self._said_end = False
        self._val_begin: int | None = None
        size = largest_size(runner.train_dataloader)
        self._batch_samples = size * get_world_size()

    def check_loader(self) -> None:
        """Reject a batch of another data loader.

        Raises:
            ConfigError: It was replaced while the training runs.
        """
        if self.loop.dataloader is not self._loader:
            raise ConfigError(REPLACED)

    @property
    @abstractmethod
    def max_epochs(self) -> int:
        """Epochs of the whole training; the last may be incomplete."""

    @property
    def last_epoch(self) -> float:
        """Length of the last epoch, below 1 if it is incomplete."""
        return 1.0

    @property
    @abstractmethod
    def epochs_behind(self) -> int:
        """Epochs completed so far; at a start or resume, those before it."""

    @abstractmethod
    def take(self, samples: int) -> list[tuple[int, int]]:
        """Take the next batch from the stream; call it once per batch.

        Args:
            samples (int): Samples of this rank in the batch.

        Returns:
            list of tuple: The epochs, from 0, that it belongs to: (epoch,
            samples) in the batch's order.
        """

    @abstractmethod
    def asked_for(self, ids: Tensor, selection: Selection) -> Tensor:
        """Whether the sampler requested the images of the batch.

        Args:
            ids (Tensor): int64 (B,), the instances of the batch last taken, as
                it shows them on this rank.
            selection (Selection): The selection of the epoch.

        Returns:
            Tensor: bool (B,).
        """

    def weights(self, ids: Tensor, selection: Selection) -> Tensor | None:
        """The factors on the losses of the batch last taken.

        Args:
            ids (Tensor): int64 (B,), its instances.
            selection (Selection): The selection of the epoch.

        Returns:
            Tensor: float32 (B,), or None if all are 1.
        """
        return selection.weights_of(ids)

    @abstractmethod
    def after_iteration(self, batch_idx: int) -> None:
        """Advance the schedules, before MMEngine's own step."""

    def is_over(self, epoch: int) -> bool:
        """Whether ``epoch``, from 0, ended with this iteration."""
        return False

    def is_last(self, batch_idx: int) -> bool:
        """Whether the loop's epoch ends with this batch; never if endless."""
        return False

    @abstractmethod
    def left_out(
        self, epoch: int, selection: Selection, trained: Tensor
    ) -> Tensor:
        """The instances that ``epoch`` skipped.

        Args:
            epoch (int): From 0.
            selection (Selection): The selection of this epoch.
            trained (Tensor): bool (N,), the instances trained.

        Returns:
            Tensor: bool (N,).
        """

    def fill_batches(self, epoch: int, selection: Selection) -> Selection:
        """Extend a selection whose batches could not be trained.

        Args:
            epoch (int): The epoch selected for, from 0.
            selection (Selection): Over all N instances.
        """
        return selection

    @abstractmethod
    def announce_end(self) -> None:
        """Tell the loop the total number of iterations."""

    @abstractmethod
    def stop(self, epochs: int) -> None:
        """End the training after these epochs as if that had been planned.

        This keeps the last validation and checkpoint, which ``stop_training``
        would skip. Gradients accumulated since the last optimizer step are
        lost: they were divided for a full step, and not synchronised.
        """

    def was_stopped(self) -> bool:
        """Whether another hook ended the training before its end."""
        # EarlyStoppingHook may also stop a training run that is at its end.
        early = self.runner.iter < self.runner.max_iters
        return bool(self.loop.stop_training) and early

    def withdraw(self) -> None:
        """Restore what the loop planned before this pace."""
        if self._val_begin is not None:
            self.loop.val_begin = self._val_begin

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint must store besides the loop's own counts."""
        return {
            'length': self._planned_length,
            'batch_samples': self._batch_samples,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a checkpoint; the loop has been resumed already.

        Warns if the length, or the number of images per iteration, changed.
        """
        now = self._planned_length
        if state['length'] not in (None, now):
            self.runner.logger.warning(
                f'the training continues with {self.length}={now} (was '
                f'{state["length"]}): the rest to be saved and the last '
                'epochs are planned by the new length'
            )
        if state['batch_samples'] not in (None, self._batch_samples):
            self.runner.logger.warning(
                f'the training continues with {self._batch_samples} images '
                f'per iteration on {get_world_size()} processes (was '
                f'{state["batch_samples"]}): {self._after_change()}'
            )

    @abstractmethod
    def _after_change(self) -> str:
        """What a changed number of images per iteration entails."""

    def _validate_by(self, planned: int, end: int) -> None:
        """Keep the last validation if the training ends before ``val_begin``.

        Logs what else was planned after the end.
        """
        if self.runner.val_loop is None or self._said_end:
            return
        self._said_end = True
        # 'epoch' or 'iter', out of the key's name.
        ends = f'the training ends at {self.length[4:-1]} {end}, before '
        if end < self.loop.val_begin <= planned:
            self.runner.logger.info(
                f'{ends}train_cfg.val_begin={self.loop.val_begin}: it is '
                'validated at its end instead'
            )
            self._val_begin, self.loop.val_begin = self.loop.val_begin, end
        later = [m for m in self.loop.dynamic_milestones if end < m <= planned]
        if later:
            self.runner.logger.info(
                f'{ends}train_cfg.dynamic_intervals takes effect at {later[0]}'
            )

    def _set_max_iters(self, iterations: int) -> None:
        internals.set_max_iters(self.runner, iterations)
        for wrapper in optim_wrappers(self.runner.optim_wrapper):
            internals.tell_end(wrapper, iterations)
