"""The hooks that decide, between epochs, which instances are trained."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import torch
from mmengine.registry import HOOKS
from mmengine.runner import Runner
from torch import Tensor

from ies_mm.core import (
    Budget,
    Course,
    Criterion,
    LossHistory,
    Progress,
    Selection,
    Waits,
    build_recheck,
)
from ies_mm.core.arguments import check_flag, check_integer, check_number
from ies_mm.core.removed import check_removed
from ies_mm.core.thresholds import MOST_LEFT_OUT
from ies_mm.errors import ConfigError
from ies_mm.methods.ies.progress import TrainingProgress
from ies_mm.report.calibrating.lengths import with_foresight
from ies_mm.training.hook.selection_hook import SelectionHook


@HOOKS.register_module()
class IESHook(SelectionHook):
    """Instance-dependent Early Stopping (ICLR 2025, Algorithm 1).

    After every epoch each image's loss curve is judged; an image whose curve
    is flat is left out of the next epoch, scored by forward passes only, and
    trained again as soon as its curve moves. Works together with
    :class:`IESSampler`. Nothing of the training changes before the first
    image is left out.

    Args:
        delta (float or dict): An image is mastered when the mean of its last
            ``window`` absolute loss differences of order ``order`` is below
            this, in units of the loss. 0 excludes nothing. The paper uses
            1e-3 for CIFAR-10; detectors need far more, see docs/results.md.
            A dict has it set itself: ``dict(type='Budget', saved=0.2)`` or
            ``dict(type='Relative', factor=4.34e-4)``, see
            :mod:`ies_mm.core.thresholds`.
        order (int): Order of the difference, 0 to 3. Defaults to 2.
        window (int): Differences averaged, 1 to 1000. Defaults to 3.
        terms (str, list of str or dict): ``'sum'`` judges the summed loss,
            ``'all'`` wants every term mastered, ``'any'`` one; a list of term
            names judges their sum, a dict of weights their weighted sum.
            Defaults to ``'sum'``.
        refresh_interval (int or dict): Excluded images are scored every so
            many epochs. Defaults to 1, as in the paper. With
            ``dict(type='Spaced', cap=8)`` each one is after 1 epoch, then
            after 2 more, 4 more, ..., at most ``cap``, as long as it stays
            mastered; with ``by='training'`` too it is trained then instead of
            scored, without any forward pass over what is left out. See
            :mod:`ies_mm.core.rechecks`.
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
        refresh_batch_size (int, optional): Batch size of the forward passes,
            which need less memory than training. Defaults to None, the
            training's.
        fallback (bool): Compute the losses of a model that has a head without
            an adapter by a forward pass for every image past the features,
            see docs/adapters.md. Defaults to False, which refuses it.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: An argument is out of range.
    """

    method = 'IES'

    def __init__(
        self,
        delta: float | dict,
        order: int = 2,
        window: int = 3,
        terms: str | Sequence[str] | Mapping[str, float] = 'sum',
        refresh_interval: int | dict = 1,
        begin: int = 1,
        anneal: float = 0.0,
        keep_history: bool = False,
        dry_run: bool = False,
        allow_batch_augments: bool = False,
        refresh_batch_size: int | None = None,
        fallback: bool = False,
        **unknown: Any,
    ) -> None:
        check_removed('IESHook', unknown)
        if unknown:
            name = next(iter(unknown))
            raise TypeError(
                f'IESHook got an unexpected keyword argument {name!r}'
            )
        # Plain ones: MMEngine's own dicts would have to be unpickled.
        delta = dict(delta) if isinstance(delta, dict) else delta
        terms = dict(terms) if isinstance(terms, dict) else terms
        if isinstance(refresh_interval, dict):
            refresh_interval = dict(refresh_interval)
        self.criterion = Criterion(delta, order, window, terms)
        super().__init__(
            depth=self.criterion.depth,
            keep_history=keep_history,
            allow_batch_augments=allow_batch_augments,
        )
        self._recheck = build_recheck(refresh_interval)
        check_integer('begin', begin, 1)
        check_number('anneal', anneal, 0, 1)
        check_flag('dry_run', dry_run)
        check_flag('fallback', fallback)
        if refresh_batch_size is not None:
            check_integer('refresh_batch_size', refresh_batch_size, 1)
        self.delta = delta
        self.refresh_interval = refresh_interval
        self.begin = begin
        self.anneal = anneal
        self.dry_run = dry_run
        self.fallback = fallback
        self.refresh_batch_size = refresh_batch_size

    def before_train(self, runner: Runner) -> None:
        """Warn where the training ends before anything can be excluded."""
        super().before_train(runner)
        course = self.course
        if course.epochs < course.shortest:
            runner.logger.warning(
                f'{self.method} cannot exclude anything in '
                f'{course.epochs} epochs: with order='
                f'{self.criterion.order}, window={self.criterion.window}, '
                f'begin={self.begin} and anneal={self.anneal} it needs '
                f'{course.shortest} or more. If the data set is repeated, '
                'count the repeats as epochs instead (RepeatDataset: '
                'times=1, max_epochs multiplied).'
            )
            return
        enough = with_foresight(self.criterion)
        if self.dry_run and course.epochs < enough:
            runner.logger.warning(
                f'a dry run of {course.epochs} epochs: tools/calibrate.py '
                'will say which delta saves how much, and not how well the '
                f'criterion foresees what comes, which takes {enough} epochs '
                'or more'
            )
        most = MOST_LEFT_OUT * course.able / course.epochs
        threshold = self.criterion.threshold
        if isinstance(threshold, Budget) and threshold.saved > most:
            runner.logger.warning(
                f'saved={threshold.saved}: these {course.epochs} epochs can '
                f'save {most:.0%} at most; train longer, or ask for less'
            )

    def check_terms(self, names: Sequence[str]) -> None:
        """Refuse unknown terms with the first batch, not after an epoch."""
        try:
            self.criterion.columns(names)
        except ValueError as error:
            raise ConfigError(str(error)) from error

    @property
    def course(self) -> Course:
        """Which epochs may leave something out."""
        first = max(self.criterion.needed, self.begin)
        return Course(self.pace.max_epochs, first, self.begin, self.anneal)

    def arguments(self) -> dict[str, Any]:
        """What the method was made with, by name."""
        return super().arguments() | asdict(self.criterion)

    def reset(self) -> None:
        """Begin a training; what an earlier one left is forgotten."""
        self._progress = TrainingProgress(self.criterion)
        self._waits = Waits(len(self.instances))

    def take_in(self, ids: Tensor, losses: Tensor) -> None:
        """Note who was observed, and what the first epoch cost."""
        self._progress.take_in(losses)
        self._waits.observe(ids, self.state.epochs + 1)

    def due(self, epoch: int) -> Tensor:
        """Those whose wait is over with ``epoch``."""
        if not (self._recheck.to_the_end or self.course.may_exclude(epoch)):
            return super().due(epoch)
        waits = self._waits
        return self._recheck.scored(waits.wait, waits.seen, epoch)

    def decide(
        self, history: LossHistory, names: Sequence[str], epoch: int
    ) -> tuple[Tensor, Selection]:
        """The mastered instances, and what the next epoch trains."""
        mastered, selection = self.judge(history, names, epoch)
        nobody = torch.zeros_like(mastered)
        may_exclude = self.course.may_exclude(epoch)
        if self.dry_run and may_exclude:
            self._progress.spare(mastered)
        if self.dry_run or not may_exclude:
            self._waits.settle(self._recheck, nobody, epoch)
            return mastered, Selection(~nobody)
        self._waits.settle(self._recheck, mastered, epoch)
        return mastered, selection

    def held_back(self, epoch: int) -> str:
        """The argument that keeps them in training."""
        if self.dry_run:
            return 'dry_run=True'
        if not self.course.may_exclude(epoch):
            return f'begin={self.begin}, anneal={self.anneal}'
        due = int(self._due_for_training(epoch + 1).sum())
        return f'{due} trained to be looked at' if due else ''

    def judge(
        self, history: LossHistory, names: Sequence[str], epoch: int
    ) -> tuple[Tensor, Selection]:
        """The mastered, bool (N,), and what to train without the others.

        Args:
            history (LossHistory): Up to ``epoch``.
            names (sequence of str): The terms.
            epoch (int): The epoch just trained, from 1.
        """
        able = ~self._due_for_training(epoch + 1)
        mastered, out, limits = self.criterion.judge(
            history, names, self.progress(names, epoch), able
        )
        self.delta = _for_record(limits, names)
        return mastered, Selection(~out)

    def progress(self, names: Sequence[str], epoch: int) -> Progress:
        """Where the training stands after ``epoch``, for its threshold."""
        return self._progress.of(
            names,
            instances=len(self.instances),
            epochs=self.pace.max_epochs,
            epochs_able=self.course.able,
            epochs_ahead=self.course.ahead(epoch),
            excluded=self.state.excluded,
        )

    def _due_for_training(self, epoch: int) -> Tensor:
        """Those that ``epoch`` is to train, mastered or not; bool (N,)."""
        wait, seen = self._waits.wait, self._waits.seen
        if not self.course.may_exclude(epoch):
            return torch.zeros_like(wait, dtype=torch.bool)
        return self._recheck.trained(wait, seen, epoch)

    def method_state(self) -> dict[str, Any]:
        """What a checkpoint has to keep beside history and selection."""
        return self._progress.state_dict() | self._waits.state_dict()

    def load_method_state(self, state: dict[str, Any]) -> None:
        """Take over what :meth:`method_state` gave."""
        self._progress.load_state_dict(state)
        self._waits.load_state_dict(state)


def _for_record(limits: Tensor, names: Sequence[str]) -> Any:
    """A number, or one a term; None for a limit that is not there."""
    numbers = [x if math.isfinite(x) else None for x in limits.tolist()]
    if len(set(numbers)) == 1:
        return numbers[0]
    return dict(zip(names, numbers, strict=True))
