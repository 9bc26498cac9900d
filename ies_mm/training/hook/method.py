"""What a selection method says; the hook does the rest."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from inspect import signature
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ies_mm.core import LossHistory, Selection
from ies_mm.training.data.sampler import IESSampler
from ies_mm.training.loop.pace import Pace


class SelectionMethod(ABC):
    """Which instances are trained, and what has to be known for that.

    A method supplies :meth:`decide`; everything else has a default.

    Attributes:
        method (str): Name in records and log.
        delta (float or dict, optional): Threshold in units of the loss, of a
            method that has one; term -> threshold where it has several.
        fallback (bool): Whether a model that has a head without an adapter
            is taken, see docs/adapters.md.
        refresh_batch_size (int, optional): Of the forward passes over what is
            left out; None, as in training.
        sampler (IESSampler): The training's, set when it starts.
        pace (Pace): How the training counts, set when it starts.
        seed (int): Of the method's random numbers: the sampler's, also in a
            run that goes on from its checkpoint.
    """

    method: str
    delta: Any = None
    fallback = False
    refresh_batch_size: int | None = None
    sampler: IESSampler
    pace: Pace
    seed: int

    @abstractmethod
    def decide(
        self, history: LossHistory, names: Sequence[str], epoch: int
    ) -> tuple[Tensor, Selection]:
        """Judge after ``epoch`` (from 1).

        Returns:
            tuple: The instances that need no training, bool (N,), and the
            selection of the next epoch.
        """

    def reset(self) -> None:
        """Begin a training; what an earlier one left is forgotten."""
        return

    def first_selection(self) -> Selection:
        """What the first epoch trains; by default everything."""
        return Selection.everything(len(self.sampler.instances))

    def due(self, epoch: int) -> Tensor:
        """Which of the left out are scored after ``epoch`` (from 1).

        Returns:
            Tensor: bool (N,); those that were trained do not matter.
        """
        return torch.zeros(len(self.sampler.instances), dtype=torch.bool)

    def held_back(self, epoch: int) -> str:
        """Why some of the mastered are trained nevertheless, for the log.

        Args:
            epoch (int): The epoch just trained, from 1.
        """
        return ''

    def check_terms(self, names: Sequence[str]) -> None:
        """Refuse a model whose terms do not fit, when they are known."""
        return

    def take_in(self, ids: Tensor, losses: Tensor) -> None:
        """Learn from an epoch's observations, beside the history.

        Args:
            ids (Tensor): int64 (M,), instances, each once.
            losses (Tensor): float32 (M, T).
        """
        return

    def arguments(self) -> dict[str, Any]:
        """What the method was made with, by name."""
        return {
            name: getattr(self, name, None)
            for name, parameter in signature(type(self)).parameters.items()
            if parameter.kind is not parameter.VAR_KEYWORD
        }

    def method_state(self) -> dict[str, Any]:
        """What a checkpoint has to keep beside history and selection."""
        return {}

    def load_method_state(self, state: dict[str, Any]) -> None:
        """Take over what :meth:`method_state` gave."""
        return

    def generator(self, *numbers: int) -> torch.Generator:
        """Random numbers of the method's own, equal on all ranks.

        They depend on ``seed`` and on ``numbers`` (of an epoch, an
        iteration) alone, so that a resumed run draws the same, and the
        training's own random numbers stay as they are.
        """
        seeds = np.random.SeedSequence([self.seed, *numbers])
        return torch.Generator().manual_seed(int(seeds.generate_state(1)[0]))
