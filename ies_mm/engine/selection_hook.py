"""What all selection methods share: observe, refresh, decide, record."""

import time
from abc import abstractmethod
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor

from ies_mm.core import LossHistory, Selection
from ies_mm.engine.checks import check_training
from ies_mm.engine.identity import batch_instances
from ies_mm.engine.observations import Observations
from ies_mm.engine.refresh import Refresher
from ies_mm.engine.state import SelectionState
from ies_mm.errors import ConfigError
from ies_mm.losses import capture_per_image_losses
from ies_mm.losses.patching import override
from ies_mm.report import RunRecords

CHECKPOINT_KEY = 'ies'


class SelectionHook(Hook):
    """Base of the hooks that leave instances out of epochs.

    A method supplies :meth:`decide` and :meth:`refresh_due`. Its state is
    complete before ``CheckpointHook`` (priority VERY_LOW) saves it.

    Args:
        depth (int): Observations of an instance that the method reads.
        keep_history (bool): Keep all epochs in ``ies/instances.npz``.
    """

    priority = 'NORMAL'
    method: str
    delta: float | None = None

    def __init__(self, depth: int, keep_history: bool) -> None:
        self._depth = depth
        self._keep_history = keep_history
        self._loaded: dict[str, Any] | None = None
        self._named_non_finite: set[int] = set()
        self._mastered = 0
        self._scope = ExitStack()
        self._lap_started = 0.0

    @abstractmethod
    def decide(
        self, history: LossHistory, names: Sequence[str], runner: Runner
    ) -> tuple[Tensor, Selection]:
        """Judge after an epoch.

        Returns:
            tuple: The mastered instances, bool (N,), and the selection of the
            next epoch.
        """

    @abstractmethod
    def refresh_due(self, epoch: int) -> bool:
        """Whether excluded instances are scored after ``epoch`` (from 1)."""

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
        self._refresher = Refresher(runner.train_dataloader, self.instances)
        self._records = RunRecords(
            Path(runner.work_dir) / 'ies',
            self.instances.paths(),
            keep=None if self._keep_history else self._depth,
        )
        if self._loaded is not None:
            self._resume(self._loaded)
        if is_main_process():
            self._records.open(after=runner.epoch if runner._resume else 0)
        self._scope.enter_context(self.instances.tagging())
        self.sampler.user = self
        self._stop_if_nothing_is_left(runner, runner.epoch)

    def before_train_epoch(self, runner: Runner) -> None:
        """Say what this epoch trains."""
        self._observed = Observations(self.state.names)
        excluded = len(self.state.selection.excluded)
        total = self.state.instances * (self.state.epochs + 1)
        for name, value in (
            ('excluded', excluded),
            ('saved', (self.state.excluded + excluded) / total),
            ('mastered', self._mastered),
        ):
            runner.message_hub.update_scalar(f'train/ies/{name}', value)
        self._lap()

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None
    ) -> None:
        """Have the coming ``train_step`` note its per-image losses."""
        ids = batch_instances(data_batch)
        scope = ExitStack()

        def train_step(original: Any, *args: Any, **kwargs: Any) -> Any:
            # First of all, so that no exception can leave it in place.
            scope.close()
            with capture_per_image_losses(runner.model) as captured:
                outputs = original(*args, **kwargs)
            self._observed.add(ids, captured.losses)
            return outputs

        scope.enter_context(override(runner.model, 'train_step', train_step))

    def after_train_epoch(self, runner: Runner) -> None:
        """Observe, refresh, decide, record."""
        ids, losses = self._observed.merge()
        record = {'train_seconds': self._lap()}
        trained = ids
        ids, losses = self._with_refreshed(runner, ids, losses)
        record['refresh_seconds'] = self._lap()
        record |= self._decide(runner, ids, losses)
        record['decide_seconds'] = self._lap()
        record |= self._observed_counts(runner, ids, losses, trained)
        if is_main_process():
            mask = torch.zeros(self.state.instances, dtype=torch.bool)
            mask[trained] = True
            self._records.add(record, self.state.names, ids, losses, mask)
        self._announce(runner, record)
        self._stop_if_nothing_is_left(runner, runner.epoch + 1)

    def after_train(self, runner: Runner) -> None:
        """Leave data set and sampler as they were found."""
        self._scope.close()
        self.sampler.user = None

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Put the state into the checkpoint."""
        checkpoint[CHECKPOINT_KEY] = {
            'method': self.method,
            'dataset': self.instances.fingerprint(),
            **self.state.state_dict(),
        }

    def _resume(self, loaded: dict[str, Any]) -> None:
        for key, found in (
            ('method', self.method),
            ('dataset', self.instances.fingerprint()),
        ):
            if loaded[key] != found:
                raise ConfigError(
                    f'cannot resume: the checkpoint is of another {key} '
                    f'({loaded[key]}, here {found}); resume with the same '
                    'config, or start anew with load_from'
                )
        self.state.load_state_dict(loaded)
        self.sampler.set_selection(self.state.selection)

    def _lap(self) -> float:
        """Seconds since the last call."""
        before, self._lap_started = self._lap_started, time.perf_counter()
        return self._lap_started - before

    def _with_refreshed(
        self, runner: Runner, ids: Tensor, losses: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Add the excluded instances' observations to the trained ones'."""
        excluded = self.state.selection.excluded
        # A data set that fetches another image may have trained one of them.
        due = excluded[~torch.isin(excluded, ids)]
        if not len(due) or not self.refresh_due(runner.epoch + 1):
            return ids, losses
        scored = self._refresher.score(runner, due, self.state.names)
        more, more_losses = scored.merge()
        new = ~torch.isin(more, ids)
        return (
            torch.cat([ids, more[new]]),
            torch.cat([losses, more_losses[new]]),
        )

    def _decide(
        self, runner: Runner, ids: Tensor, losses: Tensor
    ) -> dict[str, Any]:
        """Take the epoch in and set up the next one."""
        self.state.history.observe(ids, losses)
        mastered, selection = self.decide(
            self.state.history, self.state.names, runner
        )
        counts = self.state.count_epoch()
        self.state.advance(selection)
        self.sampler.set_selection(selection)
        self._mastered = int(mastered.sum())
        return counts | {'mastered': self._mastered}

    def _observed_counts(
        self, runner: Runner, ids: Tensor, losses: Tensor, trained: Tensor
    ) -> dict[str, Any]:
        finite = torch.isfinite(losses).all(dim=1)
        self._name_non_finite(runner, ids[~finite])
        means: list[float | None] = [None] * len(self.state.names)
        if finite.any():  # JSON has no NaN, the mean of nothing.
            means = losses[finite].double().mean(dim=0).tolist()
        return {
            'epoch': runner.epoch + 1,
            'trained': len(trained),
            'forward_only': len(ids) - len(trained),
            'non_finite': int((~finite).sum()),
            'delta': self.delta,
            'method': self.method,
            'loss': dict(zip(self.state.names, means, strict=True)),
        }

    def _name_non_finite(self, runner: Runner, ids: Tensor) -> None:
        new = [i for i in ids.tolist() if i not in self._named_non_finite]
        if not new:
            return
        self._named_non_finite.update(new)
        paths = [self.instances.paths()[i] for i in new[:5]]
        runner.logger.warning(
            f'{len(new)} images have a loss that is NaN or infinite in epoch '
            f'{runner.epoch + 1} and stay in training: {", ".join(paths)}'
            f'{" ..." if len(new) > 5 else ""} (each is named once; '
            'ies/epochs.jsonl counts them as non_finite)'
        )

    def _announce(self, runner: Runner, record: dict[str, Any]) -> None:
        runner.logger.info(
            '{method} epoch {epoch}: trained {trained} of {instances} images, '
            'scored {forward_only} by forward passes only, {mastered} are '
            'mastered, saved {saved:.1%} so far'.format(**record)
        )

    def _stop_if_nothing_is_left(self, runner: Runner, epochs: int) -> None:
        if self.state.selection.active.any():
            return
        runner.logger.info(
            f'{self.method} stops the training after {epochs} epochs: all '
            f'{self.state.instances} images are mastered'
        )
        # The loop ends as if this had been planned: with its last validation
        # and checkpoint, which ``stop_training`` would leave out.
        runner.train_loop._max_epochs = epochs
