"""Base class of selection methods. Pure: losses in, a selection out."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from inspect import signature
from typing import Any

import torch
from torch import Tensor

from ies_mm.core import LossHistory, Selection, Standing
from ies_mm.core.random_subset import generator_of

WEIGHTS = 'weights the loss of each image in a batch'
"""The ``needs_steps`` of methods that weight images."""


@dataclass(frozen=True)
class Decision:
    """A method's decision after an epoch.

    Attributes:
        mastered (Tensor): bool (N,), instances that need no training, for
            record and log; a method may still train some of them.
        selection (Selection): The instances the next epoch trains. An empty
            selection ends the training.
        limit (Any): For the record: the threshold in units of the loss, or a
            dict term -> threshold if there are several. Defaults to None: no
            threshold.
    """

    mastered: Tensor
    selection: Selection
    limit: Any = None


class Method(ABC):
    """Decides which instances are trained, and declares what it needs.

    A subclass implements :meth:`decide`; everything else has a default. It
    must keep each of its arguments in an attribute of the same name, for
    checkpoints. It is constructed once; :meth:`begin_training` starts each
    training. The caller passes an epoch's losses to :meth:`update` before
    :meth:`decide`. See docs/own_method.md for examples,
    and :mod:`ies_mm.methods` for what a method of this repository needs.

    Attributes:
        name (str): Name in records and log. Defaults to the class name.
        depth (int): Number of observations of an instance that :meth:`decide`
            reads. Defaults to 1.
        refreshes (bool): Whether pruned instances are scored after each
            epoch, see :meth:`due`. Defaults to True; with False, a method
            that never reads losses of pruned instances saves the passes.
        instances (int): Number of instances N, set by
            :meth:`begin_training`.
        seed (int): Seed of the method's random numbers, equal on all ranks;
            set by :meth:`begin_training`.
        scoring_advice (str): How pruned instances are scored less often, for
            a warning when scoring takes long.
        reads_losses (bool): Whether :meth:`decide` reads losses. If not, none
            are recorded, unless the hook keeps its history.
        observes_the_last_epoch (bool): Whether a run whose losses come
            from scoring passes has one after its last epoch, too, which no
            decision follows. Defaults to False.
        needs_steps (str): Why it needs the loss of each image in every
            training step, as a predicate; empty if scoring passes every few
            epochs suffice.
        wants_classes (bool): Whether it needs ``classes``. Defaults to False.
        classes (list of set): The classes in each of the N images, empty for
            none. Set with ``instances`` if wanted.
        wants_strata (bool): Whether it needs ``strata``. Defaults to False.
        strata (Tensor): int64 (N,), the class of each instance (the rarest
            one in its image); -1 for none. Set with ``instances`` if wanted.
    """

    name: str
    depth: int = 1
    refreshes: bool = True
    instances: int
    seed: int
    scoring_advice: str = (
        'let due() select fewer images, or set refreshes = False in the method'
    )
    reads_losses: bool = True
    observes_the_last_epoch: bool = False
    needs_steps: str = ''
    wants_classes: bool = False
    classes: list[set[int]]
    wants_strata: bool = False
    strata: Tensor

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Default a method's name to its class name."""
        super().__init_subclass__(**kwargs)
        if not hasattr(cls, 'name'):
            cls.name = cls.__name__

    @abstractmethod
    def decide(
        self, history: LossHistory, names: Sequence[str], standing: Standing
    ) -> Decision:
        """Decide after an epoch.

        Called on all processes with the same arguments, so it must draw
        random numbers only from :meth:`generator`.

        Args:
            history (LossHistory): Losses up to that epoch.
                ``history.values[-1]``, float32 (N, T), holds the newest, NaN
                where an instance was not observed or its loss not finite.
            names (sequence of str): Names of its T terms.
            standing (Standing): State of the training after the epoch.
        """

    def none_mastered(self, selection: Selection | None = None) -> Decision:
        """A decision by which no instance is mastered.

        Args:
            selection (Selection, optional): Defaults to all instances.
        """
        nothing = torch.zeros(self.instances, dtype=torch.bool)
        everything = Selection.everything(self.instances)
        return Decision(nothing, selection or everything)

    def begin_training(self, instances: int, seed: int) -> None:
        """Begin a training run, clearing the state of an earlier one."""
        self.instances, self.seed = instances, seed
        # Last, since subclasses size their tensors by the instances.
        self.reset()

    def reset(self) -> None:
        """Clear the state of an earlier training."""
        return

    def first_selection(self, standing: Standing) -> Selection:
        """The instances the first epoch trains; by default all."""
        return Selection.everything(self.instances)

    def due(self, standing: Standing) -> Tensor:
        """Which pruned instances are scored after an epoch.

        An instance that is neither trained nor scored keeps its old loss, and
        a method that reads old losses would prune the same ones forever. So
        by default all are scored while decisions remain, unless ``refreshes``
        is False.

        Args:
            standing (Standing): State after that epoch, which ``excluded``
                does not include yet.

        Returns:
            Tensor: bool (N,); entries of trained instances are ignored.
        """
        # No decision follows the last epoch.
        ahead = standing.epoch < standing.epochs
        return torch.full((self.instances,), self.refreshes and ahead)

    def held_back(self, standing: Standing) -> str:
        """Why some mastered instances are still trained, for the log."""
        return ''

    def shortfall(self, standing: Standing) -> str:
        """Why the training is too short for what was asked; '' if it is not.

        ``--speedup`` and the tournament refuse such a run.
        """
        return ''

    def warnings(self, standing: Standing) -> Iterator[str]:
        """Warnings to log before the training starts; '' is skipped."""
        yield self.shortfall(standing)

    def forecast(self, standing: Standing) -> str:
        """What the epochs will train, for the log; empty if unknown."""
        return ''

    def check_terms(self, names: Sequence[str]) -> None:
        """Refuse a model whose terms do not fit, once they are known.

        Raises:
            ValueError: A term does not fit; says which.
        """
        return

    def update(self, ids: Tensor, losses: Tensor, standing: Standing) -> None:
        """Process an epoch's observations, in addition to the history.

        Args:
            ids (Tensor): int64 (M,), distinct instances.
            losses (Tensor): float32 (M, T).
            standing (Standing): State of the training after the epoch.
        """
        return

    def forget_level(self) -> None:
        """Stop comparing earlier losses with later ones.

        Called when the pipeline or the loss was switched. The history handles
        its own data.
        """
        return

    def arguments(self) -> dict[str, Any]:
        """The arguments the method was constructed with, by name."""
        return {
            name: getattr(self, name)
            for name, parameter in signature(type(self)).parameters.items()
            if parameter.kind is not parameter.VAR_KEYWORD
        }

    def state_dict(self) -> dict[str, Any]:
        """The state for a checkpoint, besides history and selection."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned."""
        return

    def generator(self, *numbers: int) -> torch.Generator:
        """A random generator of the method's own, equal on all ranks.

        It depends only on ``seed`` and ``numbers`` (such as the epoch or
        iteration), so a resumed run draws the same numbers, and the
        training's random state is unaffected.
        """
        return generator_of(self.seed, *numbers)
