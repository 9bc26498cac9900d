"""Where all selection methods meet MMEngine."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import BaseLoop, EpochBasedTrainLoop, Runner
from torch import Tensor

from ies_mm.core.arguments import check_flag
from ies_mm.errors import ConfigError
from ies_mm.losses import CapturedLosses, weight_per_image_losses
from ies_mm.losses.agreement import Agreement
from ies_mm.losses.capture.patching import override
from ies_mm.losses.context import unwrap
from ies_mm.training.data.identity import batch_instances
from ies_mm.training.data.pipelines import Pipelines
from ies_mm.training.data.sampler import IESSampler
from ies_mm.training.data.tagging import missed_of
from ies_mm.training.data.unread import Unread
from ies_mm.training.hook.checks import check_samples, check_training
from ies_mm.training.hook.clock import Clock
from ies_mm.training.hook.epoch_cycle import EpochCycle
from ies_mm.training.hook.reporter import Reporter
from ies_mm.training.loop.epoch_pace import EpochPace
from ies_mm.training.loop.iteration_pace import IterationPace
from ies_mm.training.loop.optimisers import optim_wrappers
from ies_mm.training.loop.pace import Pace
from ies_mm.training.scoring.given import Given
from ies_mm.training.scoring.refresh import Refresher
from ies_mm.training.state.checkpoint import (
    KEY,
    Loaded,
    about_to_save,
    carried_over,
    load,
    save,
)
from ies_mm.training.state.observations import ObservationsByEpoch
from ies_mm.training.state.state import SelectionState

OF_MMENGINE = ('default_collate', 'pseudo_collate')
"""What puts batches together and keeps their samples."""

FIRST_COMPARED = 2
"""Batches of a training whose captured losses are compared with its own."""


@dataclass(frozen=True)
class Batch:
    """A batch of the training.

    Attributes:
        index (int): Its number in the loop's epoch.
        data (Any): As the loader gave it.
        ids (Tensor): int64 (B,), the instances that it shows.
        epochs (list of tuple): See :meth:`Pace.batch_epochs`.
    """

    index: int
    data: Any
    ids: Tensor
    epochs: list[tuple[int, int]]


class SelectionHook(EpochCycle, Hook):
    """Base of the hooks that leave instances out of epochs.

    The state is complete before ``CheckpointHook`` (priority VERY_LOW) saves
    it.

    Args:
        depth (int): Observations of an instance that the method reads.
        keep_history (bool): Keep all epochs in ``ies/instances.npz``.
        allow_batch_augments (bool): Whether Mixup and its like may mix the
            images of a batch.

    Raises:
        TypeError: One of the two is neither True nor False.
    """

    priority = 'NORMAL'

    def __init__(
        self, depth: int, keep_history: bool, allow_batch_augments: bool
    ) -> None:
        check_flag('keep_history', keep_history)
        check_flag('allow_batch_augments', allow_batch_augments)
        self.allow_batch_augments = allow_batch_augments
        self._depth = depth
        self.keep_history = keep_history
        self._loaded = Loaded()
        self._trains: Runner | None = None
        self._scope = ExitStack()
        self.clock = Clock()
        self.observed = ObservationsByEpoch([])

    def before_run(self, runner: Runner) -> None:
        """Check the training before weights are fetched.

        MMEngine calls this before a validation or a test alone, too.
        """
        if isinstance(runner._train_loop, BaseLoop):
            check_training(runner, self)

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Keep the state for :meth:`before_train`, if that goes on with it."""
        self._loaded = Loaded.of(checkpoint)

    def before_train(self, runner: Runner) -> None:
        """Check the config, number the instances, take over a state."""
        # Also after a training that was broken off by an exception.
        self._scope.close()
        before = self._state_before(runner)
        self.sampler = check_training(runner, self)
        self.instances = self.sampler.instances
        self.state = SelectionState(len(self.instances), self._depth)
        self._pipelines = Pipelines(
            runner.train_dataloader.dataset, unwrap(runner.model)
        )
        self._agreement = Agreement(
            runner.model, optim_wrappers(runner.optim_wrapper)
        )
        self._compare = FIRST_COMPARED
        self.sampler.set_selection(self.state.selection)
        self._scope.enter_context(self.instances.tagging())
        self.sampler.user = self
        self.pace = _pace_of(runner, self.sampler)
        self.state.epochs = self.pace.epochs_behind
        self.observed = ObservationsByEpoch(self.state.names)
        self.seed = self.sampler.seed
        self.reset()
        if before is not None:
            load(self, before)
        else:
            self.select(self.first_selection())
        self.refresher = Refresher(
            runner.train_dataloader,
            self.instances,
            self.fallback,
            self.refresh_batch_size,
        )
        self._scope.callback(self.refresher.close)
        keep = None if self.keep_history else self._depth
        self.reporter = Reporter(self.instances, runner, keep)
        self.unread = Unread(self.instances, runner.logger)
        self.reporter.open(after=self.state.epochs)
        self._trains = runner
        self.stop_if_nothing_is_left(runner)

    def _state_before(self, runner: Runner) -> dict[str, Any] | None:
        """What the coming training goes on with; None for nothing.

        That of a checkpoint that was resumed from; else, where ``train`` is
        called again, what is known already.
        """
        loaded, self._loaded = self._loaded, Loaded()
        again, self._trains = self._trains is runner, None
        if not loaded.is_resumed_by(runner):
            return carried_over(self) if again and runner.iter else None
        if again:
            self.pace.withdraw()
        if loaded.state is None:
            runner.logger.warning(
                f'the checkpoint holds no state of {self.method}: it starts '
                'with an empty loss history'
            )
        return loaded.state

    def before_train_epoch(self, runner: Runner) -> None:
        """Begin an epoch; an iteration-based loop calls this at its start."""
        self.begin_epoch(runner)

    def begin_epoch(self, runner: Runner) -> None:
        """Say what this epoch trains; compare its first batch now and then."""
        super().begin_epoch(runner)
        if (self.state.epochs + 1).bit_count() == 1:
            self._compare = max(self._compare, 1)

    def end_epoch(self, runner: Runner) -> None:
        """Compare, observe, refresh, decide, record."""
        self._agreement.check()
        super().end_epoch(runner)

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None
    ) -> None:
        """Have the coming ``train_step`` go through :meth:`train_batch`."""
        self.pace.check_loader()
        if self.note_first_batch():
            self._look_at_the_pipeline(runner)
        ids = self._instances_of(runner, data_batch)
        epochs = self.pace.batch_epochs(len(ids))
        asked_for = self.pace.asked_for(ids, self.state.selection)
        self.instances.check_shown(data_batch, ids, asked_for)
        self.observed.note_missed(
            epochs[0][0], missed_of(data_batch['data_samples'])
        )
        scope = ExitStack()

        def train_step(original: Any, data: Any, **kwargs: Any) -> Any:
            # First of all, so that no exception can leave it in place.
            scope.close()
            batch = Batch(batch_idx, data, ids, epochs)
            step = partial(original, **kwargs)
            return self.train_batch(runner, batch, step)

        scope.enter_context(override(runner.model, 'train_step', train_step))

    def _look_at_the_pipeline(self, runner: Runner) -> None:
        """Hooks may have switched it at the begin of this epoch."""
        before, self.state.pipeline = (
            self.state.pipeline,
            self._pipelines.now(self.state.pipeline),
        )
        if before in (None, self.state.pipeline):
            return
        check_samples(runner, self)
        self.state.history.restart_level()
        runner.logger.info(
            f'the pipeline was switched in epoch {self.state.epochs + 1}: '
            'losses before and after it are not compared, and the jump '
            'judges nobody'
        )

    def _instances_of(self, runner: Runner, data_batch: Any) -> Tensor:
        """As :func:`batch_instances`, and says who made the batch."""
        try:
            return batch_instances(data_batch)
        except ConfigError as error:
            collate: Any = runner.train_dataloader.collate_fn
            collate = getattr(collate, 'func', collate)
            name = getattr(collate, '__name__', type(collate).__name__)
            if name in OF_MMENGINE:
                raise
            raise ConfigError(
                f'train_dataloader.collate_fn={name}: {error}'
            ) from error

    def train_batch(
        self, runner: Runner, batch: Batch, step: Callable[[Any], Any]
    ) -> Any:
        """Train on a batch, weighted, and note its per-image losses.

        Args:
            runner (Runner): The runner.
            batch (Batch): What the loader gave.
            step (callable): The model's own ``train_step`` of some data.

        Returns:
            What the model's ``train_step`` returned.
        """
        given = Given(batch.ids)
        weights: Any = None
        if self.state.selection.weights_of(batch.ids) is not None:
            # In the order of the loss, which is not known yet.
            def weights() -> Any:
                return self.state.selection.weights_of(given.ids)

        with (
            self.compared(runner, weights) as captured,
            given.noting(runner.model, captured),
        ):
            outputs = step(batch.data)
        self.observe(batch, given.in_batch_order(captured))
        return outputs

    @contextmanager
    def compared(
        self, runner: Runner, weights: Callable[[], Tensor] | None
    ) -> Iterator[CapturedLosses]:
        """Capture a training step, and see that it trains on what is captured.

        The first batches of a training, and those of epochs ever further
        apart, are compared at once, the others where they have shares, at the
        end of the epoch: reading a sum waits for the device.

        Args:
            runner (Runner): The runner.
            weights (callable, optional): Gives those of the images, in the
                order of the loss.
        """
        now = self._compare > 0
        self._compare -= now
        with (
            weight_per_image_losses(
                runner.model,
                weights,
                fallback=self.fallback,
                shares=now and not self.fallback,
            ) as captured,
            self._agreement.watched(note_total=now),
        ):
            yield captured
        self._agreement.note_shares(captured, weights is not None)
        if now:
            self._agreement.check()

    def observe(self, batch: Batch, captured: CapturedLosses) -> None:
        """Note a batch's losses, under the epochs that it belongs to.

        Args:
            batch (Batch): The batch.
            captured (CapturedLosses): Its losses, in its order.
        """
        self.observed.add(
            batch.epochs, batch.ids, captured.losses, captured.missing
        )
        self.check_terms(self.state.names)

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Any = None,
    ) -> None:
        """Move the schedules; end the epochs that this batch completed."""
        self.pace.after_iteration(batch_idx)
        while self.pace.is_over(self.state.epochs):
            self.end_epoch(runner)
            self.begin_epoch(runner)
        if not self.pace.loop_ends_epochs and about_to_save(runner):
            self.observed.gather()

    def after_train_epoch(self, runner: Runner) -> None:
        """End an epoch; an iteration-based loop calls this at its own end."""
        if self.pace.loop_ends_epochs:
            self.end_epoch(runner)
            return
        samples = self.observed.samples(self.state.epochs)
        if samples:
            runner.logger.info(
                f'the training ended within epoch {self.state.epochs + 1}: '
                f'{samples} samples of it were trained and have no record'
            )

    def before_val(self, runner: Runner) -> None:
        """A validation inside of an epoch is not training time."""
        # The best checkpoint is saved by what comes out of it.
        self.observed.gather()
        self.clock.pause()

    def after_val(self, runner: Runner) -> None:
        """Go on counting training time."""
        self.clock.go_on()

    def after_train(self, runner: Runner) -> None:
        """Leave data set and sampler as they were found."""
        self._scope.close()
        self.sampler.user = None

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Put the state into the checkpoint; before a training, what it has.

        That is the state that was resumed, or none.
        """
        if self._trains is runner:
            save(self, checkpoint)
        elif self._loaded.state is not None:
            checkpoint[KEY] = self._loaded.state


def _pace_of(runner: Runner, sampler: IESSampler) -> Pace:
    if isinstance(runner.train_loop, EpochBasedTrainLoop):
        return EpochPace(runner, sampler)
    return IterationPace(runner, sampler)
