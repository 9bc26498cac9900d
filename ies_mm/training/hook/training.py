"""A training run with a selection method, from its first batch to its last."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from mmengine.runner import Runner

from ies_mm.errors import ConfigError
from ies_mm.training import mmengine_internals as internals
from ies_mm.training.data.any_sampler import AnySampler
from ies_mm.training.data.sampler import IESSampler
from ies_mm.training.data.shown_images import NotRequestedError
from ies_mm.training.hook.clock import Clock
from ies_mm.training.hook.epoch_cycle import EpochCycle
from ies_mm.training.hook.incoming import Batch, batch_of
from ies_mm.training.hook.refusals import check_samples
from ies_mm.training.hook.reporter import Reporter
from ies_mm.training.hook.settings import Settings
from ies_mm.training.hook.sources import Sources
from ies_mm.training.hook.step_comparison import StepComparison
from ies_mm.training.hook.steps import Steps
from ies_mm.training.hook.switches import Switches
from ies_mm.training.hook.wrapped_step import Step, WrappedStep
from ies_mm.training.state.agreement import check_started_alike
from ies_mm.training.state.checkpoint import load
from ies_mm.training.state.session import Session

KNOWN = ('torch', 'mmdet')
"""Libraries whose batch samplers begin every epoch anew."""

TERMS_BY = 20
"""Steps after which every term that a user names must have been seen.

The end of the first epoch may come earlier, or hours later.
"""


class Training:
    """What a selection hook does between two calls of MMEngine.

    Call :meth:`start` before anything else, and :meth:`close` at the end.

    Args:
        runner (Runner): At the start of its training.
        sampler (IESSampler or AnySampler): The training's sampler.
        settings (Settings): What the hook asks of it; its method is reset.
        arguments (dict): The hook's arguments by name, for checkpoints.
        steps (type): Class of its training steps.

    Attributes:
        runner (Runner): The runner.
        session (Session): Its state.
    """

    def __init__(
        self,
        runner: Runner,
        sampler: IESSampler | AnySampler,
        settings: Settings,
        arguments: dict[str, Any],
        steps: type[Steps],
    ) -> None:
        self.runner = runner
        self._settings = settings
        self._step = WrappedStep()
        self._clock = Clock()
        self.session = session = Session(
            settings.method, runner, sampler, arguments
        )
        self._switches = Switches(session)
        comparison = StepComparison(runner, settings.fallback)
        self._sources = Sources(session, settings)
        self._steps = steps(session, self._sources, comparison, self._clock)

    def start(
        self,
        before: dict[str, Any] | None,
        keep_history: bool,
        new_reporter: Callable[[Session, int | None], Reporter],
    ) -> None:
        """Select the first epoch's instances and start the records.

        Args:
            before (dict, optional): The state that it continues from; None if
                it starts from nothing.
            keep_history (bool): Whether the records keep all epochs.
            new_reporter (callable): Constructs the reporter from the session
                and the number of epochs to keep, None for all.

        Raises:
            ConfigError: The state is of another run, or the processes do not
                train the same.
        """
        session, method = self.session, self.session.method
        # Before anything that the processes do together.
        check_started_alike(self.runner.iter, session.instances)
        if before is not None:
            load(session, before)
        else:
            session.select(method.first_selection(session.standing()))
        self._sources.pick()
        self._sources.check_options()
        keep = None if keep_history else self._epochs_of_a_decision()
        reporter = new_reporter(session, keep)
        reporter.open(after=session.state.epochs)
        self._cycle = EpochCycle(session, self._steps, reporter)
        self._say_what_comes()
        self._cycle.stop_if_nothing_is_left()

    def close(self) -> None:
        """Restore the model, and let the workers of scoring passes go."""
        self._step.close()
        self._sources.close()

    def begin_epoch(self) -> None:
        """Begin an epoch."""
        self._cycle.begin()

    def before_step(self, index: int, data: Any) -> None:
        """Have the coming ``train_step`` go through :meth:`Steps.train`.

        Args:
            index (int): Number of the batch in the loop's epoch.
            data (Any): As returned by the loader.
        """
        self.session.pace.check_loader()
        # Not in before_train_epoch, in which hooks called after this one may
        # switch pipelines.
        if self._cycle.note_first_batch():
            self._look_for_switches()
        # Not at the end of the epoch, when schedules have moved on.
        self.session.note_rate()
        batch, model = self._batch(index, data), self.runner.model

        def train(data: Any, step: Step) -> Any:
            with self.session.correct.noting(model):
                return self._steps.train(replace(batch, data=data), step)

        self._step.prepare(model, batch.ids, train)

    def after_step(self, index: int) -> None:
        """Move the schedules; end the epochs that this batch completed."""
        self._step.close()
        pace, state = self.session.pace, self.session.state
        pace.after_iteration(index)
        if index + 1 == TERMS_BY and self._sources.now.needs_every_step:
            self._steps.check_terms()
        # If few images are selected, one batch may complete several passes.
        while pace.is_over(state.epochs):
            self._cycle.end()
            self._cycle.begin()
        # Only the first rank saves, so it needs the others' observations now.
        if not pace.loop_ends_epochs and internals.is_about_to_save(
            self.runner
        ):
            self.session.observed.gather()

    def end_epoch(self) -> None:
        """End an epoch of the loop; an iteration-based loop has only one."""
        if self.session.pace.loop_ends_epochs:
            self._cycle.end()
            return
        epoch = self.session.state.epochs
        if self.session.observed.samples(epoch):
            self.runner.logger.info(
                f'the training ended within epoch {epoch + 1}: the part of it '
                'that was trained has no record'
            )

    def pause(self) -> None:
        """Stop the clock; a validation is no training time."""
        # CheckpointHook may save the best checkpoint after it.
        self.session.observed.gather()
        self._clock.pause()

    def resume(self) -> None:
        """Continue to count training time."""
        self._clock.resume()

    def end(self) -> None:
        """Record why the training ended."""
        self._cycle.end_training()

    def _batch(self, index: int, data: Any) -> Batch:
        """As :func:`batch_of`; errors name a batch sampler of the user's."""
        try:
            return batch_of(self.session, index, data)
        except NotRequestedError as error:
            kind = type(self.runner.train_dataloader.batch_sampler)
            if kind.__module__.partition('.')[0] in KNOWN:
                raise
            raise ConfigError(
                f'train_dataloader.batch_sampler={kind.__name__}: {error}; '
                'a batch sampler must hold no images over to the next epoch'
            ) from error

    def _epochs_of_a_decision(self) -> int:
        """Number of epochs in which a decision's observations were made."""
        every, depth = self.session.scored_every, self.session.method.depth
        # If all images are scored, the last epochs have no scores.
        return (depth + 1) * every if every else depth

    def _say_what_comes(self) -> None:
        method, standing = self.session.method, self.session.standing()
        for warning in filter(None, method.warnings(standing)):
            self.runner.logger.warning(warning)
        if forecast := method.forecast(standing):
            self.runner.logger.info(f'{method.name}: {forecast}')

    def _look_for_switches(self) -> None:
        """Look for what hooks switched at the beginning of this epoch."""
        switched = self._switches.look()
        if switched:
            check_samples(
                self.runner, self.session.method, self._settings.mixing
            )
        self._sources.pick(switched)
