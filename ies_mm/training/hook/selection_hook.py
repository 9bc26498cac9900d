"""The MMEngine hook that all selection methods share."""

from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner

from ies_mm.core.arguments import check_flag
from ies_mm.errors import ConfigError
from ies_mm.losses.context import unwrap
from ies_mm.methods.method import Method
from ies_mm.training import mmengine_internals as internals
from ies_mm.training.data.any_sampler import AnySampler
from ies_mm.training.data.pipeline_switches import losses_by_attribute
from ies_mm.training.data.sampler import IESSampler
from ies_mm.training.hook.clock import Clock
from ies_mm.training.hook.common_arguments import check_known
from ies_mm.training.hook.epoch_cycle import EpochCycle
from ies_mm.training.hook.incoming import batch_of
from ies_mm.training.hook.mixing_options import SCORING, Mixing
from ies_mm.training.hook.refusals import check_samples, check_training
from ies_mm.training.hook.reporter import Reporter
from ies_mm.training.hook.sources import Sources
from ies_mm.training.hook.step_comparison import StepComparison
from ies_mm.training.hook.steps import Steps
from ies_mm.training.hook.switches import Switches
from ies_mm.training.hook.wrapped_step import Step, WrappedStep
from ies_mm.training.scoring.options import ScoringOptions
from ies_mm.training.state.checkpoint import (
    KEY,
    Loaded,
    carried_over,
    load,
    save,
)
from ies_mm.training.state.session import Session


class SelectionHook(Hook):
    """Base of the hooks that prune instances from epochs.

    The method decides and knows nothing of MMEngine; the hook does the rest.
    A subclass registers itself, constructs the method from its own arguments
    and passes on all others, which every hook takes (docs/own_method.md). The
    state is complete before ``CheckpointHook`` (priority VERY_LOW) saves it.

    Args:
        method (Method): Selects the instances of each epoch.
        keep_history (bool): Keep all epochs in ``ies/instances.npz``, not
            just the last ones. Defaults to False.
        allow_batch_augments (bool): Train with Mixup, CutMix and the like,
            and record for an image the loss of the mixture at its place in
            the batch, against the mixed label, in scoring passes too.
            Defaults to False: images are observed as ``observe`` says.
        fallback (bool): If a head has no adapter, compute its losses by one
            forward pass per image, from the features on, see
            docs/adapters.md. A method that weights images still needs an
            adapter. Defaults to False, which refuses the model.
        observe (str): How images are observed while the training mixes them
            (Mosaic, MixUp, CopyPaste, CutMix ...): ``'scoring'``, by forward
            passes over all of them without mixing, every
            ``scoring['interval']`` epochs; or ``'mixtures'``, by the losses
            of all mixtures that contain them, without scoring passes.
            Defaults to ``'scoring'``.
        scoring (dict, optional): How scoring passes are made, if the method
            needs any. ``batch_size``: images per forward pass, which needs
            less memory than a training step; by default the training's. While
            the training mixes images, also ``interval``: epochs between two
            passes, by default 10, which keeps them below 5% of the training
            time where a pass takes up to half an epoch, and fewer in a short
            training (below 120 epochs with the defaults); and ``pipeline``:
            the transforms, from loading to packing, by default the
            training's without mixing and random transforms. The log shows
            both.

    Attributes:
        session (Session): State of the training, from its start.

    Raises:
        TypeError: An argument is unknown or of the wrong type.
        ValueError: An argument is out of range.
    """

    priority = 'NORMAL'
    needs_sampler: bool = True
    """Whether the hook may prune images, for which it needs the IESSampler."""
    steps: type[Steps] = Steps
    """The class that makes its training steps."""

    session: Session

    def __init__(
        self,
        method: Method,
        keep_history: bool = False,
        allow_batch_augments: bool = False,
        fallback: bool = False,
        observe: str = SCORING,
        scoring: dict[str, Any] | None = None,
        **unknown: Any,
    ) -> None:
        check_known(type(self), unknown)
        check_flag('keep_history', keep_history)
        check_flag('allow_batch_augments', allow_batch_augments)
        check_flag('fallback', fallback)
        self.method = method
        self.keep_history = keep_history
        self.fallback = fallback
        options = ScoringOptions.of(scoring)
        self.mixing = Mixing(observe, options, allow_batch_augments)
        self._loaded = Loaded()
        self._trains: Runner | None = None
        self._built_losses: dict[str, int] | None = None
        self._scope = ExitStack()
        self._step = WrappedStep()
        self._clock = Clock()

    def before_run(self, runner: Runner) -> None:
        """Check the training before weights are fetched.

        MMEngine calls this before a validation or a test alone, too.
        """
        if not internals.is_going_to_train(runner):
            return
        self._check(runner)
        # Later on, hooks that know the epoch may have changed the model.
        if self._trains is not runner:
            self._built_losses = losses_by_attribute(unwrap(runner.model))

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Keep the state for :meth:`before_train`, which may resume it."""
        self._loaded = Loaded.of(checkpoint)

    def before_train(self, runner: Runner) -> None:
        """Check the training, number the instances, restore a state."""
        # An exception may have ended the previous training.
        self._scope.close()
        self._step.close()
        before = self._state_before(runner)
        sampler = self._check(runner)
        self._scope.enter_context(sampler.instances.tagging())
        sampler.user = self
        session = Session(self.method, runner, sampler, self.arguments())
        session.built_losses = self._built_losses
        self.session = session
        self._switches = Switches(session)
        comparison = StepComparison(runner, self.fallback)
        self._sources = Sources(session, self.mixing, self.fallback)
        self._steps = self.steps(
            session, self._sources, comparison, self._clock
        )
        if before is not None:
            load(session, before)
        else:
            session.select(self.method.first_selection(session.standing()))
        self._scope.callback(self._sources.close)
        self._sources.pick()
        self._cycle = self._new_cycle(session)
        self._say_what_comes(runner)
        self._trains = runner
        self._cycle.stop_if_nothing_is_left()

    def arguments(self) -> dict[str, Any]:
        """The arguments the hook was constructed with, by name."""
        common = {
            'keep_history': self.keep_history,
            'allow_batch_augments': self.mixing.in_place,
            'fallback': self.fallback,
            'observe': self.mixing.observe,
            'scoring': self.mixing.scoring.plain(),
        }
        return common | self.method.arguments()

    def before_train_epoch(self, runner: Runner) -> None:
        """Begin an epoch; an iteration-based loop calls this at its start."""
        self._cycle.begin()

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None
    ) -> None:
        """Have the coming ``train_step`` go through :meth:`Steps.train`."""
        self.session.pace.check_loader()
        if self._cycle.note_first_batch():
            self._look_for_switches(runner)
        batch = batch_of(self.session, batch_idx, data_batch)

        def train(data: Any, step: Step) -> Any:
            with self.session.correct.noting(runner.model):
                return self._steps.train(replace(batch, data=data), step)

        self._step.prepare(runner.model, batch.ids, train)

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Any = None,
    ) -> None:
        """Move the schedules; end the epochs that this batch completed."""
        self._step.close()
        pace, state = self.session.pace, self.session.state
        pace.after_iteration(batch_idx)
        while pace.is_over(state.epochs):
            self._cycle.end()
            self._cycle.begin()
        # Only the first rank saves, so it needs the others' observations now.
        if not pace.loop_ends_epochs and internals.is_about_to_save(runner):
            self.session.observed.gather()

    def after_train_epoch(self, runner: Runner) -> None:
        """End an epoch; an iteration-based loop calls this at its own end."""
        if self.session.pace.loop_ends_epochs:
            self._cycle.end()
            return
        epoch = self.session.state.epochs
        samples = self.session.observed.samples(epoch)
        if samples:
            runner.logger.info(
                f'the training ended within epoch {epoch + 1}: {samples} '
                'samples of it were trained and have no record'
            )

    def before_val(self, runner: Runner) -> None:
        """Stop the clock; a validation is no training time."""
        # CheckpointHook may save the best checkpoint after it.
        if self._trains is runner:
            self.session.observed.gather()
        self._clock.pause()

    def after_val(self, runner: Runner) -> None:
        """Continue to count training time."""
        self._clock.go_on()

    def after_train(self, runner: Runner) -> None:
        """Restore dataset and sampler."""
        self._scope.close()
        self.session.sampler.user = None
        self._cycle.end_training()

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Put the state into the checkpoint.

        Before a training that is the resumed state, if any.
        """
        if self._trains is runner:
            save(self.session, checkpoint)
        elif self._loaded.state is not None:
            checkpoint[KEY] = self._loaded.state

    def _check(self, runner: Runner) -> IESSampler | AnySampler:
        for other in runner.hooks:
            if isinstance(other, SelectionHook) and other is not self:
                raise ConfigError(
                    f'{type(self).__name__} and {type(other).__name__} would '
                    'both write the records of this training; keep one of '
                    'them in default_hooks or custom_hooks'
                )
        return check_training(
            runner,
            self,
            self.needs_sampler,
            self.method,
            self.mixing,
            self.fallback,
        )

    def _state_before(self, runner: Runner) -> dict[str, Any] | None:
        """The state that the coming training starts from, or None.

        That of the resumed checkpoint, or, if ``train`` is called again, that
        of the previous training.
        """
        loaded, self._loaded = self._loaded, Loaded()
        again, self._trains = self._trains is runner, None
        if not loaded.is_resumed_by(runner):
            goes_on = again and runner.iter
            return carried_over(self.session) if goes_on else None
        if again:
            self.session.pace.withdraw()
        if loaded.state is None:
            runner.logger.warning(
                f'the checkpoint holds no state of {self.method.name}: it '
                'starts with an empty loss history'
            )
        return loaded.state

    def _say_what_comes(self, runner: Runner) -> None:
        standing = self.session.standing()
        for warning in filter(None, self.method.warnings(standing)):
            runner.logger.warning(warning)
        if forecast := self.method.forecast(standing):
            runner.logger.info(f'{self.method.name}: {forecast}')

    def _look_for_switches(self, runner: Runner) -> None:
        """Look for what hooks switched at the beginning of this epoch."""
        switched = self._switches.look()
        if switched:
            check_samples(runner, self.method, self.mixing)
        self._sources.pick(switched)

    def _new_cycle(self, session: Session) -> EpochCycle:
        every = session.scored_every
        # The last epochs of a training that mixes images have no scores.
        epochs = self.method.depth + 1 if every else self.method.depth
        keep = None if self.keep_history else epochs * max(1, every)
        reporter = self._new_reporter(session, keep)
        reporter.open(after=session.state.epochs)
        return EpochCycle(session, self._steps, reporter)

    def _new_reporter(self, session: Session, keep: int | None) -> Reporter:
        return Reporter(session.instances, session.runner, keep)
