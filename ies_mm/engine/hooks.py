"""The hooks that decide, between epochs, which instances are trained."""

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from mmengine.registry import HOOKS
from mmengine.runner import Runner
from torch import Tensor

from ies_mm.core import Criterion, LossHistory, Selection, may_exclude
from ies_mm.core.arguments import check_flag, check_integer, check_number
from ies_mm.engine.selection_hook import SelectionHook
from ies_mm.errors import ConfigError


@HOOKS.register_module()
class IESHook(SelectionHook):
    """Instance-dependent Early Stopping (ICLR 2025, Algorithm 1).

    After every epoch each image's loss curve is judged; an image whose curve
    is flat is left out of the next epoch, scored by forward passes only, and
    trained again as soon as its curve moves. Works together with
    :class:`IESSampler`. Nothing of the training changes before the first
    image is left out.

    Args:
        delta (float): An image is mastered when the mean of its last
            ``window`` absolute loss differences of order ``order`` is below
            this, in units of the loss. 0 excludes nothing. The paper uses
            1e-3 for CIFAR-10; detectors need far more, see docs/results.md.
        order (int): Order of the difference, 0 to 3. Defaults to 2.
        window (int): Differences averaged. Defaults to 3.
        terms (str or list of str): ``'sum'`` judges the summed loss,
            ``'all'`` wants every term mastered, ``'any'`` one; a list of term
            names judges their sum. Defaults to ``'sum'``.
        refresh_interval (int): Excluded images are scored every so many
            epochs. Defaults to 1, as in the paper.
        begin (int): First epoch, from 1, after which anything may be
            excluded. Defaults to 1.
        anneal (float): The last part of the epochs, 0 to 1, that trains on
            everything. Defaults to 0.
        keep_history (bool): Keep all epochs in ``ies/instances.npz``, not
            just the last ones. Defaults to False.
        dry_run (bool): Record and decide, but exclude nothing. Defaults to
            False.
        allow_batch_augments (bool): Train with Mixup, CutMix and their like.
            What is recorded for an image is then the loss of the mixture in
            its place of the batch, against the mixed label, also when it is
            scored by a forward pass. Defaults to False, which refuses them.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: An argument is out of range.
    """

    method = 'IES'

    def __init__(
        self,
        delta: float,
        order: int = 2,
        window: int = 3,
        terms: str | Sequence[str] = 'sum',
        refresh_interval: int = 1,
        begin: int = 1,
        anneal: float = 0.0,
        keep_history: bool = False,
        dry_run: bool = False,
        allow_batch_augments: bool = False,
    ) -> None:
        self.criterion = Criterion(delta, order, window, terms)
        super().__init__(
            depth=self.criterion.depth,
            keep_history=keep_history,
            allow_batch_augments=allow_batch_augments,
        )
        check_integer('refresh_interval', refresh_interval, 1)
        check_integer('begin', begin, 1)
        check_number('anneal', anneal, 0, 1)
        check_flag('dry_run', dry_run)
        self.delta = delta
        self.refresh_interval = refresh_interval
        self.begin = begin
        self.anneal = anneal
        self.dry_run = dry_run

    def before_train(self, runner: Runner) -> None:
        """Warn where the training ends before anything can be excluded."""
        super().before_train(runner)
        needed = self.epochs_needed()
        if self.pace.max_epochs < needed:
            runner.logger.warning(
                f'{self.method} cannot exclude anything in '
                f'{self.pace.max_epochs} epochs: with order='
                f'{self.criterion.order}, window={self.criterion.window}, '
                f'begin={self.begin} and anneal={self.anneal} it needs '
                f'{needed} or more. If the data set is repeated, count the '
                'repeats as epochs instead (RepeatDataset: times=1, '
                'max_epochs multiplied).'
            )

    def check_terms(self, names: Sequence[str]) -> None:
        """Refuse unknown terms with the first batch, not after an epoch."""
        try:
            self.criterion.columns(names)
        except ValueError as error:
            raise ConfigError(str(error)) from error

    def epochs_needed(self) -> float:
        """The shortest training, in epochs, in which IES can fire."""
        first = max(self.criterion.needed, self.begin)
        if self.anneal == 1:
            return math.inf
        epochs = first + 1
        while not may_exclude(first, epochs, self.begin, self.anneal):
            epochs += 1
        return epochs

    def arguments(self) -> dict[str, Any]:
        """What the method was made with, by name."""
        return super().arguments() | asdict(self.criterion)

    def decide(
        self, history: LossHistory, names: Sequence[str], epoch: int
    ) -> tuple[Tensor, Selection]:
        """The mastered instances, and what the next epoch trains."""
        mastered = self.criterion.mastered(history, names)
        may = may_exclude(epoch, self.pace.max_epochs, self.begin, self.anneal)
        if self.dry_run or not may:
            return mastered, Selection.everything(history.instances)
        return mastered, Selection(~mastered)

    def refresh_due(self, epoch: int) -> bool:
        """Whether excluded instances are scored after ``epoch`` (from 1)."""
        return epoch % self.refresh_interval == 0
