"""A training run with a selection method, and its whole state."""

from typing import Any, Protocol

import torch
from mmengine.runner import EpochBasedTrainLoop, Runner

from ies_mm.core import Selection, Standing
from ies_mm.errors import ConfigError
from ies_mm.methods.method import Method
from ies_mm.training.data.any_sampler import AnySampler
from ies_mm.training.data.classes import strata_of
from ies_mm.training.data.sampler import IESSampler
from ies_mm.training.loop.epoch_pace import EpochPace
from ies_mm.training.loop.iteration_pace import IterationPace
from ies_mm.training.loop.pace import Pace
from ies_mm.training.loop.watched_pace import WatchedEpochs, WatchedIterations
from ies_mm.training.state.agreement import check_decided_alike
from ies_mm.training.state.correctness import Correctness
from ies_mm.training.state.observations_by_epoch import ObservationsByEpoch
from ies_mm.training.state.selection_state import SelectionState


class Stateful(Protocol):
    """An object with state to store in checkpoints."""

    def state_dict(self) -> dict[str, Any]:
        """The state to store."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned."""


class Session:
    """A selection method at work in a training run.

    Args:
        method (Method): The method, which is reset.
        runner (Runner): At the start of its training.
        sampler (IESSampler or AnySampler): The training's sampler.
        arguments (dict): The arguments the hook was constructed with, by
            name.

    Attributes:
        instances (InstanceMap): Numbering of the dataset.
        state (SelectionState): The state after the last epoch.
        observed (ObservationsByEpoch): Observations of unfinished epochs.
        correct (Correctness): What part of each image the model got right
            in this epoch.
        pace (Pace): How the training's loop counts.
        stateful (list of Stateful): Further parts with state for checkpoints.
        filled (int): Number of images trained only to fill a batch.
        scored_every (int): See :class:`Standing`.
        built_losses (dict, optional): Loss modules of the model before any
            hook changed it, see :func:`losses_by_attribute`. None if not
            known.
    """

    scored_every = 0
    built_losses: dict[str, int] | None = None

    def __init__(
        self,
        method: Method,
        runner: Runner,
        sampler: IESSampler | AnySampler,
        arguments: dict[str, Any],
    ) -> None:
        self.method = method
        self.runner = runner
        self.sampler = sampler
        self.arguments = arguments
        self.instances = sampler.instances
        self.state = SelectionState(len(self.instances), method.depth)
        # The pace takes the loader's length for that of a full epoch, and a
        # previous training may have left it pruned.
        sampler.set_selection(self.state.selection)
        self.pace = _pace_of(runner, sampler)
        self.correct = Correctness(
            len(self.instances), self.pace.loop_ends_epochs
        )
        # For a checkpoint without our state; load() replaces both otherwise.
        self.state.epochs = self.state.begun = self.pace.epochs_behind
        self.observed = ObservationsByEpoch(self.state.names)
        self.stateful: list[Stateful] = [method]
        self.filled = 0
        if method.wants_classes:
            method.classes = [set(found) for found in self.instances.classes()]
        if method.wants_strata:
            method.strata = strata_of(self.instances)
        self.note_rate()
        method.begin_training(len(self.instances), sampler.seed)

    def note_rate(self) -> None:
        """Keep the learning rate of the coming step."""
        # The first entry is the base rate, if MMEngine keeps one.
        rates = self.runner.optim_wrapper.get_lr()
        self._rate = next(iter(rates.values()))[0]

    def standing(self, uncounted: int = 0) -> Standing:
        """Where the training stands.

        Args:
            uncounted (int): Epochs trained but not counted yet. Defaults to
                0.
        """
        return Standing(
            self.state.instances,
            self.state.epochs + uncounted,
            self.pace.max_epochs,
            self.state.excluded,
            self._rate,
            self.state.begun,
            self.scored_every,
            self.pace.last_epoch,
        )

    def select(self, selection: Selection) -> None:
        """Train this selection next, or more to fill a batch.

        Raises:
            ConfigError: It does not fit this training's instances, or differs
                between processes.
        """
        self._check(selection)
        filled = self.pace.fill_batches(self.state.epochs, selection)
        check_decided_alike(filled, self.method.name, self.state.epochs)
        self.filled = int((filled.active & ~selection.active).sum())
        self.state.selection = filled
        self.sampler.set_selection(filled)

    def _check(self, selection: Selection) -> None:
        """Check types and shapes; a user's own method may get them wrong."""
        images = len(self.instances)
        for key, dtype in (('active', torch.bool), ('weight', torch.float32)):
            value = getattr(selection, key)
            if value is None and key == 'weight':
                continue
            if (value.dtype, tuple(value.shape)) != (dtype, (images,)):
                raise ConfigError(
                    f'{self.method.name}: the {key} of a Selection must be '
                    f'{dtype} of shape ({images},), one value per image, '
                    f'found {value.dtype} of shape {tuple(value.shape)}'
                )


def _pace_of(runner: Runner, sampler: IESSampler | AnySampler) -> Pace:
    by_epoch = isinstance(runner.train_loop, EpochBasedTrainLoop)
    if isinstance(sampler, AnySampler):
        watched = WatchedEpochs if by_epoch else WatchedIterations
        return watched(runner, sampler)
    pruned = EpochPace if by_epoch else IterationPace
    return pruned(runner, sampler)
