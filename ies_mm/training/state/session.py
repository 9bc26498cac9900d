"""A training in which images are left out: all that is known of it."""

from typing import Any, Protocol

from mmengine.runner import EpochBasedTrainLoop, Runner

from ies_mm.core import Selection, Standing
from ies_mm.methods.method import Method
from ies_mm.training.data.classes import strata_of
from ies_mm.training.data.sampler import IESSampler
from ies_mm.training.loop.epoch_pace import EpochPace
from ies_mm.training.loop.iteration_pace import IterationPace
from ies_mm.training.loop.pace import Pace
from ies_mm.training.state.observations_by_epoch import (
    ObservationsByEpoch,
)
from ies_mm.training.state.selection_state import SelectionState


class Stateful(Protocol):
    """What has a part in a checkpoint."""

    def state_dict(self) -> dict[str, Any]:
        """What it has to keep."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what :meth:`state_dict` gave."""


class Session:
    """A method at work in a training.

    Args:
        method (Method): Begun anew.
        runner (Runner): At the start of its training.
        sampler (IESSampler): The training's.
        arguments (dict): What the hook was made with, by name.

    Attributes:
        instances (InstanceMap): Numbering of the data set.
        state (SelectionState): What is known after the last epoch.
        observed (ObservationsByEpoch): Of the epochs that have not ended.
        pace (Pace): How the training's loop counts.
        of_method (list of Stateful): What else a checkpoint has to keep.
        filled (int): How many images train only to fill a batch.
        scored_every (int): See :class:`Standing`.
    """

    scored_every = 0

    def __init__(
        self,
        method: Method,
        runner: Runner,
        sampler: IESSampler,
        arguments: dict[str, Any],
    ) -> None:
        self.method = method
        self.runner = runner
        self.sampler = sampler
        self.arguments = arguments
        self.instances = sampler.instances
        self.state = SelectionState(len(self.instances), method.depth)
        sampler.set_selection(self.state.selection)
        self.pace = _pace_of(runner, sampler)
        self.state.epochs = self.state.begun = self.pace.epochs_behind
        self.observed = ObservationsByEpoch(self.state.names)
        self.of_method: list[Stateful] = [method]
        self.filled = 0
        if method.wants_strata:
            method.strata = strata_of(self.instances)
        method.begin_training(len(self.instances), sampler.seed)

    def standing(self, behind: int = 0) -> Standing:
        """Where the training stands.

        Args:
            behind (int): Epochs that are trained and not counted yet.
                Defaults to 0.
        """
        rates = self.runner.optim_wrapper.get_lr()
        return Standing(
            self.state.instances,
            self.state.epochs + behind,
            self.pace.max_epochs,
            self.state.excluded,
            next(iter(rates.values()))[0],
            self.state.begun,
            self.scored_every,
        )

    def select(self, selection: Selection) -> None:
        """Train on this in the epoch to come, or on more to fill a batch."""
        filled = self.pace.fill_batches(self.state.epochs, selection)
        self.filled = int((filled.active & ~selection.active).sum())
        self.state.selection = filled
        self.sampler.set_selection(filled)


def _pace_of(runner: Runner, sampler: IESSampler) -> Pace:
    if isinstance(runner.train_loop, EpochBasedTrainLoop):
        return EpochPace(runner, sampler)
    return IterationPace(runner, sampler)
