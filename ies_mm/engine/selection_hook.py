"""What all selection methods share: observe, refresh, decide, record."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.runner import EpochBasedTrainLoop, Runner
from torch import Tensor

from ies_mm.core import Selection
from ies_mm.core.arguments import check_flag
from ies_mm.engine.checkpoint import KEY, about_to_save, load, save
from ies_mm.engine.checks import check_training
from ies_mm.engine.clock import Clock
from ies_mm.engine.epoch_pace import EpochPace
from ies_mm.engine.identity import batch_instances
from ies_mm.engine.iteration_pace import IterationPace
from ies_mm.engine.method import SelectionMethod
from ies_mm.engine.observations import ObservationsByEpoch
from ies_mm.engine.pace import Pace
from ies_mm.engine.refresh import Refresher
from ies_mm.engine.reporter import Reporter
from ies_mm.engine.sampler import IESSampler
from ies_mm.engine.state import SelectionState
from ies_mm.losses import CapturedLosses, weight_per_image_losses
from ies_mm.losses.patching import override


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


class SelectionHook(SelectionMethod, Hook):
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
        self._loaded: dict[str, Any] | None = None
        self._mastered = 0
        self._scope = ExitStack()
        self.clock = Clock()
        self.observed = ObservationsByEpoch([])

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Keep the state for :meth:`before_train`; not with ``load_from``."""
        if not runner._resume:
            return
        self._loaded = checkpoint.get(KEY)
        if self._loaded is None:
            runner.logger.warning(
                f'the checkpoint holds no state of {self.method}: it starts '
                'with an empty loss history'
            )

    def before_train(self, runner: Runner) -> None:
        """Check the config, number the instances, take over a state."""
        # Also after a training that was broken off by an exception.
        self._scope.close()
        self.sampler = check_training(runner, self)
        self.instances = self.sampler.instances
        self.state = SelectionState(len(self.instances), self._depth)
        self.sampler.set_selection(self.state.selection)
        self._scope.enter_context(self.instances.tagging())
        self.sampler.user = self
        self.pace = _pace_of(runner, self.sampler)
        self.state.epochs = self.pace.epochs_behind
        self.observed = ObservationsByEpoch(self.state.names)
        self.seed = self.sampler.seed
        self.reset()
        if self._loaded is not None:
            load(self, self._loaded)
        else:
            self._select(self.first_selection())
        self._refresher = Refresher(
            runner.train_dataloader,
            self.instances,
            self.expected,
            self.seed if self.fixed_refresh else None,
        )
        keep = None if self.keep_history else self._depth
        self._reporter = Reporter(self.instances, runner, keep)
        self._reporter.open(after=self.state.epochs)
        self._stop_if_nothing_is_left(runner)

    def before_train_epoch(self, runner: Runner) -> None:
        """Begin an epoch; an iteration-based loop calls this at its start."""
        self._begin_epoch(runner)

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None
    ) -> None:
        """Have the coming ``train_step`` go through :meth:`train_batch`."""
        ids = batch_instances(data_batch)
        epochs = self.pace.batch_epochs(len(ids))
        scope = ExitStack()

        def train_step(original: Any, data: Any, **kwargs: Any) -> Any:
            # First of all, so that no exception can leave it in place.
            scope.close()
            batch = Batch(batch_idx, data, ids, epochs)
            step = partial(original, **kwargs)
            return self.train_batch(runner, batch, step)

        scope.enter_context(override(runner.model, 'train_step', train_step))

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
        weights = self.state.selection.weights_of(batch.ids)
        with weight_per_image_losses(
            runner.model, weights, self.expected
        ) as captured:
            outputs = step(batch.data)
        self.observe(batch, captured)
        return outputs

    def observe(self, batch: Batch, captured: CapturedLosses) -> None:
        """Note a batch's losses, under the epochs that it belongs to."""
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
            self._end_epoch(runner)
            self._begin_epoch(runner)
        if not self.pace.loop_ends_epochs and about_to_save(runner):
            self.observed.gather()

    def after_train_epoch(self, runner: Runner) -> None:
        """End an epoch; an iteration-based loop calls this at its own end."""
        if self.pace.loop_ends_epochs:
            self._end_epoch(runner)
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
        """Put the state into the checkpoint."""
        save(self, checkpoint)

    def _begin_epoch(self, runner: Runner) -> None:
        """Say what this epoch trains."""
        self.pace.announce_end()
        excluded = self.expected_excluded()
        total = self.state.instances * (self.state.epochs + 1)
        for name, value in (
            ('excluded', excluded),
            ('saved', (self.state.excluded + excluded) / total),
            ('mastered', self._mastered),
        ):
            runner.message_hub.update_scalar(f'train/ies/{name}', value)
        self.clock.lap()

    def expected_excluded(self) -> int:
        """How many instances the coming epoch leaves out."""
        return len(self.state.selection.excluded)

    def _end_epoch(self, runner: Runner) -> None:
        """Observe, refresh, decide, record."""
        ids, losses, seen = self.observed.take(self.state.epochs).merge()
        trained, left_out = self.account(seen)
        record: dict[str, Any] = {'train_seconds': self.clock.lap()}
        ids, losses, scored = self.with_scored(runner, ids, losses, left_out)
        self.measure(runner, losses)
        record['refresh_seconds'] = self.clock.lap()
        record |= self._decide(ids, losses, left_out)
        record['decide_seconds'] = self.clock.lap()
        record |= {'trained': int(trained.sum()), 'forward_only': scored}
        record |= {'method': self.method, 'delta': self.delta}
        self._reporter.add(record, self.state.names, ids, losses, trained)
        self._stop_if_nothing_is_left(runner)

    def account(self, seen: Tensor) -> tuple[Tensor, Tensor]:
        """What the epoch trained and what it left out.

        Args:
            seen (Tensor): int64 (M,), the instances that were observed.

        Returns:
            tuple: trained and left out, bool (N,).
        """
        trained = torch.zeros(self.state.instances, dtype=torch.bool)
        trained[seen] = True
        left_out = self.pace.left_out(
            self.state.epochs, self.state.selection, trained
        )
        return trained, left_out

    def with_scored(
        self, runner: Runner, ids: Tensor, losses: Tensor, left_out: Tensor
    ) -> tuple[Tensor, Tensor, int]:
        """Add observations from forward passes over what was left out.

        Args:
            runner (Runner): The runner.
            ids (Tensor): int64 (M,), observed in training.
            losses (Tensor): float32 (M, T).
            left_out (Tensor): bool (N,).

        Returns:
            tuple: ids, losses, and how many instances were scored so.
        """
        due = torch.nonzero(left_out).flatten()
        if not len(due) or not self.refresh_due(self.state.epochs + 1):
            return ids, losses, 0
        scores = self._refresher.score(runner, due, self.state.names)
        more, more_losses, seen = scores.merge()
        # A data set that fetches another image may show a trained one.
        new = ~torch.isin(more, ids)
        return (
            torch.cat([ids, more[new]]),
            torch.cat([losses, more_losses[new]]),
            len(seen),
        )

    def _decide(
        self, ids: Tensor, losses: Tensor, left_out: Tensor
    ) -> dict[str, Any]:
        """Take the epoch in and set up the next one."""
        self.state.history.observe(ids, self.denoise(ids, losses))
        self.take_in(ids, losses)
        counts = self.state.count_epoch(left_out)
        mastered, selection = self.decide(
            self.state.history, self.state.names, self.state.epochs
        )
        self._select(selection)
        self._mastered = int(mastered.sum())
        return counts | {'mastered': self._mastered}

    def _select(self, selection: Selection) -> None:
        """Train on this in the epoch to come."""
        self.state.selection = self.pace.fill_batches(
            self.state.epochs, selection
        )
        self.sampler.set_selection(self.state.selection)

    def _stop_if_nothing_is_left(self, runner: Runner) -> None:
        if self.state.selection.active.any():
            return
        runner.logger.info(
            f'{self.method} stops the training after {self.state.epochs} '
            f'epochs: all {self.state.instances} images are mastered'
        )
        self.pace.stop(self.state.epochs)


def _pace_of(runner: Runner, sampler: IESSampler) -> Pace:
    if isinstance(runner.train_loop, EpochBasedTrainLoop):
        return EpochPace(runner, sampler)
    return IterationPace(runner, sampler)
