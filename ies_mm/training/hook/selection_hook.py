"""The MMEngine hook that all selection methods share."""

from contextlib import ExitStack
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner

from ies_mm.core import Selection
from ies_mm.core.arguments import check_flag
from ies_mm.errors import ConfigError
from ies_mm.losses.context import unwrap
from ies_mm.methods.method import Method
from ies_mm.training import mmengine_internals as internals
from ies_mm.training.data.any_sampler import AnySampler
from ies_mm.training.data.pipeline_switches import losses_by_attribute
from ies_mm.training.data.sampler import IESSampler
from ies_mm.training.hook.common_arguments import check_known
from ies_mm.training.hook.mixing_options import TRAINING, Mixing
from ies_mm.training.hook.refusals import check_training
from ies_mm.training.hook.reporter import Reporter
from ies_mm.training.hook.settings import Settings
from ies_mm.training.hook.steps import Steps
from ies_mm.training.hook.training import Training
from ies_mm.training.scoring.options import ScoringOptions
from ies_mm.training.state.checkpoint import KEY, Loaded, carried_over, save
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
            just the last ones. Defaults to False. A method that reads no
            losses records some only with it.
        allow_batch_augments (bool): Train with Mixup, CutMix and the like,
            and record for an image the loss of the mixture at its place in
            the batch, against the mixed label, in scoring passes too.
            Defaults to False: images are observed as ``observe`` says.
        fallback (bool): If a head has no adapter, compute its losses by one
            forward pass per image, from the features on, see
            docs/adapters.md. A method that weights images still needs an
            adapter. Defaults to False, which refuses the model.
        observe (str): Where the losses of kept images come from.
            ``'training'``: from the training steps, or, while these mix
            images (Mosaic, MixUp, CopyPaste, CutMix ...), as with
            ``'scoring'``. ``'scoring'``: from forward passes over all images,
            pruned or not, without mixing and random transforms, every
            ``scoring['interval']`` epochs (the paper's Algorithm 1, line 3,
            to the letter). ``'mixtures'``: as ``'training'``, but an image's
            loss is that of all mixtures that contain it, without scoring
            passes. Defaults to ``'training'``.
        scoring (dict, optional): How scoring passes are made, if the method
            needs any. ``batch_size``: images per forward pass, which needs
            less memory than a training step; by default the training's. Where
            all images are scored, also ``interval``: epochs between two
            passes, by default 1, and 10 while the training mixes images,
            which keeps them below 5% of the training time where a pass takes
            up to half an epoch, and fewer in a short training (below 120
            epochs with the defaults); and ``pipeline``:
            the transforms, from loading to packing, by default the
            training's without mixing and random transforms. The log shows
            both.

    Attributes:
        session (Session): State of the training, from its start.

    Raises:
        TypeError: An argument is unknown or of the wrong type.
        ValueError: An argument is out of range.
    """

    # Before ParamSchedulerHook (LOW) and CheckpointHook (VERY_LOW), which step
    # and save according to it.
    priority = 'NORMAL'
    needs_sampler: bool = True
    """Whether the hook may prune images, for which it needs the IESSampler."""
    steps: type[Steps] = Steps
    """The class that makes its training steps."""

    session: Session
    _training: Training

    def __init__(
        self,
        method: Method,
        keep_history: bool = False,
        allow_batch_augments: bool = False,
        fallback: bool = False,
        observe: str = TRAINING,
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
        # Also called for load_from, and before the loop takes over its counts:
        # only before_train can tell whether it is resumed.
        self._loaded = Loaded.of(checkpoint)

    def before_train(self, runner: Runner) -> None:
        """Check the training, number the instances, restore a state."""
        # An exception may have ended the previous training.
        self._scope.close()
        # First, as it withdraws the length that a previous training announced,
        # which the new one would read as planned.
        before = self._state_before(runner)
        sampler = self._check(runner)
        # Before the session, whose loop may start workers, which hold copies
        # of the dataset.
        self._scope.enter_context(sampler.instances.tagging())
        self._training = Training(
            runner,
            sampler,
            self._settings(),
            self.arguments(),
            self.steps,
        )
        self._scope.callback(self._training.close)
        self.session = self._training.session
        self.session.built_losses = self._built_losses
        sampler.user = self
        self._training.start(before, self.keep_history, self._new_reporter)
        # Only after a successful start is there a state to save or go on from.
        self._trains = runner

    @property
    def records_losses(self) -> bool:
        """Whether losses are captured, which needs adapters and time."""
        method = self.method
        reads = method.reads_losses or bool(method.needs_steps)
        return reads or self.keep_history

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
        self._training.begin_epoch()

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None
    ) -> None:
        """Redirect the coming ``train_step``."""
        self._training.before_step(batch_idx, data_batch)

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Any = None,
    ) -> None:
        """Move the schedules; end the epochs that this batch completed."""
        self._training.after_step(batch_idx)

    def after_train_epoch(self, runner: Runner) -> None:
        """End an epoch; an iteration-based loop calls this at its own end."""
        self._training.end_epoch()

    def before_val(self, runner: Runner) -> None:
        """Stop the clock; a validation is no training time."""
        # MMEngine also calls this in a validation without training.
        if self._trains is runner:
            self._training.pause()

    def after_val(self, runner: Runner) -> None:
        """Continue to count training time."""
        if self._trains is runner:
            self._training.resume()

    def after_train(self, runner: Runner) -> None:
        """Restore dataset and sampler; record why the training ended."""
        # Also what subclasses entered in it.
        self._scope.close()
        self._training.end()
        sampler, instances = self.session.sampler, self.session.instances
        sampler.user = None
        # The session keeps the selection, from which a second training and
        # checkpoints go on.
        sampler.set_selection(Selection.everything(len(instances)))

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Put the state into the checkpoint.

        Before a training run that is the resumed state, if any.
        """
        if self._trains is runner:
            save(self.session, checkpoint)
        elif self._loaded.state is not None:
            checkpoint[KEY] = self._loaded.state

    def _check(self, runner: Runner) -> IESSampler | AnySampler:
        found = [h for h in runner.hooks if isinstance(h, SelectionHook)]
        if len(found) > 1:
            # The same object may be registered twice.
            names = ' and '.join(type(hook).__name__ for hook in found)
            raise ConfigError(
                f'{names} would both write the records of this run; '
                'keep one of them in default_hooks or custom_hooks'
            )
        return check_training(runner, self, self._settings())

    def _settings(self) -> Settings:
        return Settings(
            self.method,
            self.mixing,
            self.fallback,
            self.records_losses,
            self.needs_sampler,
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

    def _new_reporter(self, session: Session, keep: int | None) -> Reporter:
        return Reporter(session.instances, session.runner, keep)
