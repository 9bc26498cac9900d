"""What a selection hook asks of a training loop.

An epoch is a pass over the data, whatever the loop counts. Skipped images
count as done: schedules stand where the unpruned run's stand, and what a
training is long for is told to MMEngine, which logs and saves by it.
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
    'images of another one have no numbers; put it in place before the '
    'training starts, or train without a selection hook'
)


class Pace(ABC):
    """How a loop counts epochs, iterations and its end.

    Args:
        runner (Runner): At the start of its training, everything selected.
        sampler (IESSampler or AnySampler): The training's sampler.
    """

    loop_ends_epochs: bool
    """Whether the loop itself says when an epoch has ended."""

    length: str
    """What a config calls the length of the training."""

    def __init__(
        self, runner: Runner, sampler: IESSampler | AnySampler
    ) -> None:
        self.runner = runner
        self.loop: Any = runner.train_loop
        self._loader = self.loop.dataloader
        self._planned_length = int(getattr(self.loop, self.length))
        self._said_end = False
        size = largest_size(runner.train_dataloader)
        self._batch_samples = size * get_world_size()

    def check_loader(self) -> None:
        """Refuse a batch of another data loader.

        Raises:
            ConfigError: It was replaced while the training runs.
        """
        if self.loop.dataloader is not self._loader:
            raise ConfigError(REPLACED)

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
    def asked_for(self, ids: Tensor, selection: Selection) -> Tensor:
        """Whether the sampler asked for the images of the batch.

        Args:
            ids (Tensor): int64 (B,), the instances that the batch of the last
                :meth:`batch_epochs` shows on this rank.
            selection (Selection): Of the epoch.

        Returns:
            Tensor: bool (B,).
        """

    @abstractmethod
    def after_iteration(self, batch_idx: int) -> None:
        """Move the schedules, before MMEngine's own step."""

    def is_over(self, epoch: int) -> bool:
        """Whether ``epoch``, from 0, has ended with this iteration."""
        return False

    def is_last(self, batch_idx: int) -> bool:
        """Whether the loop's epoch ends with this batch; endless: never."""
        return False

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

    def fill_batches(self, epoch: int, selection: Selection) -> Selection:
        """``selection``, or more of it where its batches could not train.

        Args:
            epoch (int): From 0, the one that is selected for.
            selection (Selection): Over all N instances.
        """
        return selection

    @abstractmethod
    def announce_end(self) -> None:
        """Tell the loop how many iterations there will be in all."""

    @abstractmethod
    def stop(self, epochs: int) -> None:
        """End the training after these epochs as if that had been planned.

        The last validation and checkpoint then come; ``stop_training`` would
        leave them out.
        """

    def was_stopped(self) -> bool:
        """Whether another hook ended the training before its end."""
        early = self.runner.iter < self.runner.max_iters
        return bool(self.loop.stop_training) and early

    def withdraw(self) -> None:
        """Have the loop plan again what it did before this pace counted."""
        return

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint has to keep beside the loop's own counts."""
        return {
            'length': self._planned_length,
            'batch_samples': self._batch_samples,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint; the loop has been resumed already.

        Another length, and other numbers of processes or of images in a
        batch, are said.
        """
        now = self._planned_length
        if state['length'] not in (None, now):
            self.runner.logger.warning(
                f'the training goes on with {self.length}={now} (was '
                f'{state["length"]}): what is yet to be saved and the last '
                'epochs are planned by the new length'
            )
        if state['batch_samples'] not in (None, self._batch_samples):
            self.runner.logger.warning(
                f'the training goes on with {self._batch_samples} images an '
                f'iteration on {get_world_size()} processes (was '
                f'{state["batch_samples"]}): {self._after_change()}'
            )

    @abstractmethod
    def _after_change(self) -> str:
        """What a changed number of images an iteration means."""

    def _validate_by(self, planned: int, end: int) -> None:
        """Let the last validation come where the end comes before it.

        What else was planned behind the end is said.
        """
        if self.runner.val_loop is None or self._said_end:
            return
        self._said_end = True
        ends = f'the training ends at {self.length[4:-1]} {end}, before '
        if end < self.loop.val_begin <= planned:
            self.runner.logger.info(
                f'{ends}train_cfg.val_begin={self.loop.val_begin}: it is '
                'validated at its end'
            )
            self.loop.val_begin = end
        later = [m for m in self.loop.dynamic_milestones if end < m <= planned]
        if later:
            self.runner.logger.info(
                f'{ends}train_cfg.dynamic_intervals takes hold at {later[0]}'
            )

    def _set_max_iters(self, iterations: int) -> None:
        internals.set_max_iters(self.runner, iterations)
        for wrapper in optim_wrappers(self.runner.optim_wrapper):
            internals.tell_end(wrapper, iterations)
