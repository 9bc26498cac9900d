"""What all selection methods share: observe, refresh, decide, record."""

import time
from abc import abstractmethod
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.runner import EpochBasedTrainLoop, Runner
from torch import Tensor

from ies_mm.core import LossHistory, Selection
from ies_mm.engine.checks import check_training
from ies_mm.engine.epoch_pace import EpochPace
from ies_mm.engine.identity import batch_instances
from ies_mm.engine.iteration_pace import IterationPace
from ies_mm.engine.observations import Observations
from ies_mm.engine.pace import Pace
from ies_mm.engine.refresh import Refresher
from ies_mm.engine.reporter import Reporter
from ies_mm.engine.sampler import IESSampler
from ies_mm.engine.state import SelectionState
from ies_mm.errors import ConfigError
from ies_mm.losses import CapturedLosses, capture_per_image_losses
from ies_mm.losses.patching import override

CHECKPOINT_KEY = 'ies'


class SelectionHook(Hook):
    """Base of the hooks that leave instances out of epochs.

    A method supplies :meth:`decide` and :meth:`refresh_due`. Its state is
    complete before ``CheckpointHook`` (priority VERY_LOW) saves it.

    Args:
        depth (int): Observations of an instance that the method reads.
        keep_history (bool): Keep all epochs in ``ies/instances.npz``.
        allow_batch_augments (bool): Whether Mixup and its like may mix the
            images of a batch.
    """

    priority = 'NORMAL'
    method: str
    delta: float | None = None

    def __init__(
        self, depth: int, keep_history: bool, allow_batch_augments: bool
    ) -> None:
        self.allow_batch_augments = allow_batch_augments
        self._depth = depth
        self._keep_history = keep_history
        self._loaded: dict[str, Any] | None = None
        self._mastered = 0
        self._scope = ExitStack()
        self._lap_started = 0.0

    @abstractmethod
    def decide(
        self, history: LossHistory, names: Sequence[str], epoch: int
    ) -> tuple[Tensor, Selection]:
        """Judge after ``epoch`` (from 1).

        Returns:
            tuple: The mastered instances, bool (N,), and the selection of the
            next epoch.
        """

    @abstractmethod
    def refresh_due(self, epoch: int) -> bool:
        """Whether excluded instances are scored after ``epoch`` (from 1)."""

    @abstractmethod
    def check_terms(self, names: Sequence[str]) -> None:
        """Refuse a model whose terms do not fit, when they are known."""

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Keep the state for :meth:`before_train`; not with ``load_from``."""
        if not runner._resume:
            return
        self._loaded = checkpoint.get(CHECKPOINT_KEY)
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
        self._refresher = Refresher(runner.train_dataloader, self.instances)
        self._observed: dict[int, Observations] = {}
        if self._loaded is not None:
            self._resume(self._loaded)
        keep = None if self._keep_history else self._depth
        self._reporter = Reporter(self.instances, runner, keep)
        self._reporter.open(after=self.state.epochs)
        self._stop_if_nothing_is_left(runner)

    def before_train_epoch(self, runner: Runner) -> None:
        """Begin an epoch; an iteration-based loop calls this at its start."""
        self._begin_epoch(runner)

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None
    ) -> None:
        """Have the coming ``train_step`` note its per-image losses."""
        ids = batch_instances(data_batch)
        epochs = self.pace.batch_epochs(len(ids))
        scope = ExitStack()

        def train_step(original: Any, *args: Any, **kwargs: Any) -> Any:
            # First of all, so that no exception can leave it in place.
            scope.close()
            with capture_per_image_losses(runner.model) as captured:
                outputs = original(*args, **kwargs)
            self._observe(epochs, ids, captured)
            return outputs

        scope.enter_context(override(runner.model, 'train_step', train_step))

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

    def after_train_epoch(self, runner: Runner) -> None:
        """End an epoch; an iteration-based loop calls this at its own end."""
        if self.pace.loop_ends_epochs:
            self._end_epoch(runner)
        elif self.state.epochs in self._observed:
            ids, _, _ = self._observed[self.state.epochs].tensors()
            runner.logger.info(
                f'the training ended within epoch {self.state.epochs + 1}: '
                f'{len(ids)} samples of it were trained and have no record'
            )

    def before_val(self, runner: Runner) -> None:
        """A validation inside of an epoch is not training time."""
        self._val_started = time.perf_counter()

    def after_val(self, runner: Runner) -> None:
        """Go on counting training time."""
        self._lap_started += time.perf_counter() - self._val_started

    def after_train(self, runner: Runner) -> None:
        """Leave data set and sampler as they were found."""
        self._scope.close()
        self.sampler.user = None

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Put the state into the checkpoint."""
        checkpoint[CHECKPOINT_KEY] = {
            **self._origin(),
            **self.state.state_dict(),
            **self.pace.state_dict(),
            'observed': self._unfinished(),
        }

    def _origin(self) -> dict[str, str]:
        """What a checkpoint and a run that goes on from it must share."""
        loop = 'epochs' if self.pace.loop_ends_epochs else 'iterations'
        return {
            'method': self.method,
            'dataset': self.instances.fingerprint(),
            'loop': f'a training loop that counts {loop}',
        }

    def _unfinished(self) -> dict[int, tuple[Tensor, Tensor, Tensor]]:
        """Losses of epochs that go on where the checkpoint is resumed."""
        if self.pace.loop_ends_epochs:
            return {}
        return {k: seen.tensors() for k, seen in self._observed.items()}

    def _resume(self, loaded: dict[str, Any]) -> None:
        for key, found in self._origin().items():
            if loaded[key] != found:
                raise ConfigError(
                    f'cannot resume: the checkpoint is of another {key} '
                    f'({loaded[key]}, here {found}); resume with the same '
                    'config, or start anew with load_from'
                )
        self.state.load_state_dict(loaded)
        self.pace.load_state_dict(loaded)
        self.sampler.set_selection(self.state.selection)
        for epoch, seen in loaded['observed'].items():
            self._of_epoch(epoch).add_tensors(*seen)

    def _begin_epoch(self, runner: Runner) -> None:
        """Say what this epoch trains."""
        self.pace.announce_end()
        excluded = len(self.state.selection.excluded)
        total = self.state.instances * (self.state.epochs + 1)
        for name, value in (
            ('excluded', excluded),
            ('saved', (self.state.excluded + excluded) / total),
            ('mastered', self._mastered),
        ):
            runner.message_hub.update_scalar(f'train/ies/{name}', value)
        self._lap()

    def _observe(
        self,
        epochs: list[tuple[int, int]],
        ids: Tensor,
        captured: CapturedLosses,
    ) -> None:
        """Note a batch's losses, under the epochs that it belongs to."""
        start = 0
        for epoch, samples in epochs:
            part = slice(start, start + samples)
            self._of_epoch(epoch).add(
                ids[part],
                {term: v[part] for term, v in captured.losses.items()},
                {term: m[part] for term, m in captured.missing.items()},
            )
            start += samples
        self.check_terms(self.state.names)

    def _of_epoch(self, epoch: int) -> Observations:
        return self._observed.setdefault(epoch, Observations(self.state.names))

    def _end_epoch(self, runner: Runner) -> None:
        """Observe, refresh, decide, record."""
        observed = self._of_epoch(self.state.epochs)
        del self._observed[self.state.epochs]
        ids, losses, seen = observed.merge()
        trained = torch.zeros(self.state.instances, dtype=torch.bool)
        trained[seen] = True
        left_out = self.pace.left_out(
            self.state.epochs, self.state.selection, trained
        )
        record: dict[str, Any] = {'train_seconds': self._lap()}
        ids, losses, scored = self._with_refreshed(
            runner, ids, losses, left_out
        )
        record['refresh_seconds'] = self._lap()
        record |= self._decide(ids, losses, left_out)
        record['decide_seconds'] = self._lap()
        record |= {'trained': len(seen), 'forward_only': scored}
        record |= {'method': self.method, 'delta': self.delta}
        self._reporter.add(record, self.state.names, ids, losses, trained)
        self._stop_if_nothing_is_left(runner)

    def _lap(self) -> float:
        """Seconds since the last call."""
        before, self._lap_started = self._lap_started, time.perf_counter()
        return self._lap_started - before

    def _with_refreshed(
        self, runner: Runner, ids: Tensor, losses: Tensor, left_out: Tensor
    ) -> tuple[Tensor, Tensor, int]:
        """Add the observations of what was left out; how many were scored."""
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
        self.state.history.observe(ids, losses)
        counts = self.state.count_epoch(left_out)
        mastered, selection = self.decide(
            self.state.history, self.state.names, self.state.epochs
        )
        self.state.selection = self.pace.fill_batches(
            self.state.epochs, selection
        )
        self.sampler.set_selection(self.state.selection)
        self._mastered = int(mastered.sum())
        return counts | {'mastered': self._mastered}

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
