"""The hook that records training dynamics."""

import math
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mmengine.dist import get_world_size, is_main_process
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import EpochBasedTrainLoop, Runner

from ies_mm.core.arguments import check_integer, check_number
from ies_mm.dynamics.held_loss import HeldLoss
from ies_mm.dynamics.landscape import sam_value, top_eigenvalue
from ies_mm.dynamics.training_steps import Sums, TrainingSteps
from ies_mm.report.dynamics import DynamicsFile
from ies_mm.training.hook.selection_hook import SelectionHook
from ies_mm.training.loop.batches import largest_size
from ies_mm.training.state.checkpoint import Loaded

KEY = 'ies_dynamics'
"""Key of the hook's state in a checkpoint."""

SHARPNESS = (
    'images', 'subset_loss', 'sam', 'top_eigenvalue', 'residual', 'exact',
    'seconds',
)  # fmt: skip
"""Fields that are null in epochs without a measurement."""


@HOOKS.register_module()
class TrainingDynamicsHook(Hook):
    """Records gradient norm, loss, SAM value and the Hessian's top eigenvalue.

    Figure 4 and appendix B.5 of the paper, for any MMEngine model, with or
    without a selection hook. Writes one line per epoch to
    ``<work_dir>/ies/dynamics.jsonl``, see docs/dynamics.md. The training is
    unchanged, bit for bit.

    Args:
        interval (int): Number of epochs between measurements of SAM value and
            eigenvalue; the first is before training.
        images (int): Number of training images to measure on, the same ones
            in every run with this seed.
        rho (float): Length of the step for the SAM value. Defaults to 0.05,
            as in the paper.
        iterations (int): Power iterations. Defaults to 20, as in the paper.
        seed (int): Seed of the choice of images, their augmentation and the
            initial vector. Defaults to 0.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: An argument is out of range.
    """

    # After selection hooks end the epoch, before the checkpoint is saved.
    priority = 'BELOW_NORMAL'

    def __init__(
        self,
        interval: int,
        images: int,
        rho: float = 0.05,
        iterations: int = 20,
        seed: int = 0,
    ) -> None:
        check_integer('interval', interval, 1)
        check_integer('images', images, 1)
        check_number('rho', rho, 0.0)
        check_integer('iterations', iterations, 1)
        check_integer('seed', seed, 0, 2**32 - 1)
        self.interval = interval
        self.images = images
        self.rho = rho
        self.iterations = iterations
        self.seed = seed
        self._loaded = Loaded()
        self._steps = TrainingSteps()
        self._epoch = self._instances = 0

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Keep the counts for a training run that resumes from it."""
        iterations = Loaded.of(checkpoint).iterations
        self._loaded = Loaded(iterations, checkpoint.get(KEY))

    def before_train(self, runner: Runner) -> None:
        """Watch the steps, and measure the initial model."""
        # MMEngine calls no hook after an exception, so overrides of an earlier
        # training may still be in place.
        self._steps.close()
        self._held = HeldLoss(runner, self.images, self.seed)
        self._file = DynamicsFile(Path(runner.work_dir))
        self._take_up(runner)
        # A resumed training is past its initial model.
        if not runner.iter:
            self._add(runner, 0, 0, Sums())
        self._steps.watch(runner)

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Any = None,
    ) -> None:
        """Record the step; an iteration-based loop's pass may end here."""
        self._steps.end_iteration(outputs)
        if not _loop_ends_epochs(runner):
            # The loop increments its iteration only after this hook.
            behind = runner.iter + 1
            self._end_epoch(runner, _passes(runner, behind), behind)

    def after_train_epoch(self, runner: Runner) -> None:
        """End an epoch of an epoch-based loop."""
        # The loop has counted its last iteration by now, but not the epoch.
        if _loop_ends_epochs(runner):
            self._end_epoch(runner, runner.epoch + 1, runner.iter)

    def after_train(self, runner: Runner) -> None:
        """Restore model and optimizer wrappers."""
        self._steps.close()

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Save the counts of the main process, which stand for all."""
        # MMEngine saves in the main process alone, where gathering would wait
        # for the others forever.
        checkpoint[KEY] = {
            'instances': self._instances,
            'epoch': self._epoch,
            'sums': asdict(self._steps.sums()),
        }

    def _take_up(self, runner: Runner) -> None:
        """Begin, or continue from the loaded checkpoint."""
        # Used up, so that training again does not go back to the checkpoint.
        loaded, self._loaded = self._loaded, Loaded()
        if not runner.iter:
            self._epoch = self._instances = 0
            self._steps.go_on_with(Sums())
        elif loaded.is_resumed_by(runner) and loaded.state is not None:
            self._epoch = loaded.state['epoch']
            self._instances = loaded.state['instances']
            self._steps.go_on_with(Sums(**loaded.state['sums']))
        elif loaded.is_resumed_by(runner):
            self._epoch = _passes(runner, runner.iter)
            runner.logger.warning(
                'the checkpoint has no counts of TrainingDynamicsHook: '
                'counting backpropagated images from here on'
            )
        after = self._epoch if runner.iter else None
        self._write(runner, lambda: self._file.open(after))

    def _end_epoch(self, runner: Runner, epoch: int, iteration: int) -> None:
        # An iteration-based loop asks after every iteration.
        if epoch > self._epoch:
            self._epoch = epoch
            self._add(runner, epoch, iteration, self._steps.take())

    def _add(
        self, runner: Runner, epoch: int, iteration: int, sums: Sums
    ) -> None:
        """Write the line of an epoch."""
        self._instances += round(sums.images)
        record: dict[str, Any] = {
            'epoch': epoch,
            'iteration': iteration,
            'instances': self._instances,
            'steps': round(sums.steps),
            'non_finite': round(sums.non_finite),
            'gradient_norm': _mean(sums.norms, sums.steps),
            'loss': _mean(sums.losses, sums.images),
            **dict.fromkeys(SHARPNESS),
        }
        if epoch % self.interval == 0:
            record |= self._measured(runner)
        self._write(runner, lambda: self._file.add(record))

    def _measured(self, runner: Runner) -> dict[str, Any]:
        """Sharpness at the current weights, equal in all processes."""
        started, held = time.perf_counter(), self._held
        with held.holding():
            loss = held.loss()
            sam = sam_value(held, self.rho)
            top = top_eigenvalue(held, self.iterations, self.seed)
        seconds = time.perf_counter() - started
        runner.logger.info(
            f'training dynamics: SAM value {sam:.4g}, top eigenvalue '
            f'{top.value:.4g} +- {top.residual:.2g} on {self.images} images '
            f'({seconds:.1f} s)'
        )
        return {
            'images': self.images,
            'subset_loss': _finite(loss),
            'sam': _finite(sam),
            'top_eigenvalue': _finite(top.value),
            'residual': _finite(top.residual),
            'exact': held.exact,
            'seconds': seconds,
        }

    def _write(self, runner: Runner, write: Callable[[], None]) -> None:
        """Write in the main process; a full disk does not stop training."""
        if not is_main_process():
            return
        try:
            write()
        except OSError as error:
            runner.logger.warning(
                f'{runner.work_dir}/ies/dynamics.jsonl cannot be written to: '
                f'{error.strerror}; training continues'
            )


def _loop_ends_epochs(runner: Runner) -> bool:
    return isinstance(runner.train_loop, EpochBasedTrainLoop)


def _passes(runner: Runner, iterations: int) -> int:
    """Number of passes over the data that an iteration-based loop finished.

    A selection hook's count takes precedence, as its passes are shorter.
    """
    for hook in runner.hooks:
        if isinstance(hook, SelectionHook):
            return hook.session.state.epochs
    loader: Any = runner.train_dataloader
    images = largest_size(loader) * get_world_size()
    return iterations // math.ceil(len(loader.dataset) / images)


def _mean(total: float, number: float) -> float | None:
    return _finite(total / number) if number else None


def _finite(value: float) -> float | None:
    """Replace NaN and infinity, which JSON does not have, by None."""
    return value if math.isfinite(value) else None
