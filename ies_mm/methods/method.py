"""What a selection method says. Pure: losses in, a selection out."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from inspect import signature
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ies_mm.core import LossHistory, Selection, Standing

WEIGHTS = 'weights the loss of each image in a batch'
"""Why some methods need the losses of training steps."""


@dataclass(frozen=True)
class Decision:
    """What an epoch's losses lead to.

    Attributes:
        mastered (Tensor): bool (N,), instances that need no training, for
            record and log; a method may train some of them nevertheless.
        selection (Selection): What the next epoch trains. One without any
            instance ends the training.
        limit (Any): For the record: the threshold in units of the loss, a
            dict of term -> threshold where it has several. Defaults to None,
            for a method without one.
    """

    mastered: Tensor
    selection: Selection
    limit: Any = None


class Method(ABC):
    """Which instances are trained, and what has to be known for that.

    A method supplies :meth:`decide`; everything else has a default. It keeps
    each of its arguments in an attribute of the same name, for checkpoints.
    It is made once, and told of each of its trainings by
    :meth:`begin_training`. Whoever runs it hands an epoch's losses to
    :meth:`take_in` before :meth:`decide`. docs/own_method.md has examples.

    Attributes:
        name (str): In records and log. Defaults to the name of the class.
        depth (int): Observations of an instance that :meth:`decide` reads.
            Defaults to 1.
        refreshes (bool): Whether what is left out is scored after each epoch,
            see :meth:`due`. Defaults to True; a method that never reads the
            loss of what it has left out saves the forward passes.
        instances (int): Number of instances N, known since
            :meth:`begin_training`.
        seed (int): Of the method's random numbers, equal on all ranks; known
            since :meth:`begin_training`.
        reads_losses (bool): Whether :meth:`decide` reads any.
        needs_steps (str): Why it needs every training step's own loss of each
            image, as a predicate; empty where losses that are scored by
            forward passes every few epochs will do.
        wants_classes (bool): Whether it has to know ``classes``. Defaults to
            False.
        classes (list of set): The classes in each of the N images, empty for
            none. Known with ``instances`` where they are wanted.
        wants_strata (bool): Whether it has to know ``strata``. Defaults to
            False.
        strata (Tensor): int64 (N,), the class of each instance, the rarest of
            those in its image; -1 for none. Known with ``instances`` where it
            is wanted.
    """

    name: str
    depth: int = 1
    refreshes: bool = True
    instances: int
    seed: int
    reads_losses: bool = True
    needs_steps: str = ''
    wants_classes: bool = False
    classes: list[set[int]]
    wants_strata: bool = False
    strata: Tensor

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Name a method by its class, where it has no name."""
        super().__init_subclass__(**kwargs)
        if not hasattr(cls, 'name'):
            cls.name = cls.__name__

    @abstractmethod
    def decide(
        self, history: LossHistory, names: Sequence[str], standing: Standing
    ) -> Decision:
        """Judge after an epoch.

        Called on all processes with the same, so it must not draw random
        numbers but by :meth:`generator`.

        Args:
            history (LossHistory): Up to that epoch. ``history.values[-1]``,
                float32 (N, T), are the newest losses, NaN where an instance
                was not observed or its loss was not finite.
            names (sequence of str): Its T terms.
            standing (Standing): Where the training stands behind it.
        """

    def begin_training(self, instances: int, seed: int) -> None:
        """Begin a training; what an earlier one left is forgotten."""
        self.instances, self.seed = instances, seed
        self.reset()

    def reset(self) -> None:
        """Forget what was learned in an earlier training."""
        return

    def first_selection(self, standing: Standing) -> Selection:
        """What the first epoch trains; by default everything."""
        return Selection.everything(self.instances)

    def due(self, standing: Standing) -> Tensor:
        """Which of the left out are scored after an epoch.

        An instance that is neither trained nor scored keeps its old loss, and
        a method that reads old losses leaves the same ones out for ever. So
        by default all are scored while there is a decision ahead, unless
        ``refreshes`` is False.

        Args:
            standing (Standing): Behind that epoch, which is not yet counted
                in ``excluded``.

        Returns:
            Tensor: bool (N,); those that were trained do not matter.
        """
        ahead = standing.epoch < standing.epochs
        return torch.full((self.instances,), self.refreshes and ahead)

    def held_back(self, standing: Standing) -> str:
        """Why some of the mastered are trained nevertheless, for the log."""
        return ''

    def warnings(self, standing: Standing) -> Iterator[str]:
        """What a user should know before the training starts."""
        yield from ()

    def forecast(self, standing: Standing) -> str:
        """What the epochs will train, for the log, where it is known."""
        return ''

    def check_terms(self, names: Sequence[str]) -> None:
        """Refuse a model whose terms do not fit, when they are known.

        Raises:
            ValueError: Says which.
        """
        return

    def take_in(self, ids: Tensor, losses: Tensor, standing: Standing) -> None:
        """Learn from an epoch's observations, beside the history.

        Args:
            ids (Tensor): int64 (M,), instances, each once.
            losses (Tensor): float32 (M, T).
            standing (Standing): Behind that epoch.
        """
        return

    def forget_level(self) -> None:
        """Losses before and after now are not to be compared.

        The pipeline or the loss was switched. The history sees to its own.
        """
        return

    def arguments(self) -> dict[str, Any]:
        """What the method was made with, by name."""
        return {
            name: getattr(self, name)
            for name, parameter in signature(type(self)).parameters.items()
            if parameter.kind is not parameter.VAR_KEYWORD
        }

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint has to keep beside history and selection."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what :meth:`state_dict` gave."""
        return

    def generator(self, *numbers: int) -> torch.Generator:
        """Random numbers of the method's own, equal on all ranks.

        They depend on ``seed`` and on ``numbers`` (of an epoch, an
        iteration) alone, so that a resumed run draws the same, and the
        training's own random numbers stay as they are.
        """
        seeds = np.random.SeedSequence([self.seed, *numbers])
        return torch.Generator().manual_seed(int(seeds.generate_state(1)[0]))
