"""Instance-dependent Early Stopping (ICLR 2025, Algorithm 1)."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ies_mm.core import (
    Budget,
    Criterion,
    LossHistory,
    Progress,
    Selection,
    Standing,
    Waits,
    build_recheck,
)
from ies_mm.core.arguments import check_flag
from ies_mm.core.lengths import with_foresight
from ies_mm.core.thresholds import budget_or
from ies_mm.methods.flatness import FlatnessMethod
from ies_mm.methods.method import Decision

EVERY_EPOCH = 1
"""The paper's refresh interval: pruned images are scored every epoch."""

BY_TRAINING = dict(type='Spaced', cap=8, by='training')
"""Refresh interval with ``saved``: no scoring passes."""

_SPACED = (
    "refresh_interval=dict(type='Spaced', cap=8) scores less often, and with "
    "by='training' not at all"
)
_LESS_OFTEN = "by='training' in refresh_interval needs no scoring pass"


class IES(FlatnessMethod):
    """Prunes an image while its loss curve is flat.

    For the arguments see :class:`ies_mm.engine.IESHook`.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: An argument is out of range.
    """

    name = 'IES'

    def __init__(
        self,
        delta: float | dict | None = None,
        order: int = 2,
        window: int = 3,
        terms: str | Sequence[str] | Mapping[str, float] = 'sum',
        refresh_interval: int | dict | None = None,
        begin: int = 1,
        anneal: float = 0.0,
        dry_run: bool = False,
        saved: float | None = None,
    ) -> None:
        delta = budget_or('delta', delta, saved)
        if refresh_interval is None:
            refresh_interval = EVERY_EPOCH if saved is None else BY_TRAINING
        criterion = Criterion(delta, order, window, terms)
        threshold = criterion.threshold
        budget = threshold if isinstance(threshold, Budget) else None
        schedule = budget.schedule if budget else None
        super().__init__(criterion, schedule, begin, anneal)
        self._recheck = build_recheck(refresh_interval)
        check_flag('dry_run', dry_run)
        self.delta = delta
        self.order = order
        self.window = window
        self.terms = terms
        self.refresh_interval = refresh_interval
        self.dry_run = dry_run
        self.saved = saved
        self.wants_strata = budget is not None and budget.by_class
        if isinstance(refresh_interval, dict):
            self.scoring_advice = _LESS_OFTEN
        else:
            self.scoring_advice = _SPACED

    def reset(self) -> None:
        """Clear the first loss, the dry run's count and the waits."""
        super().reset()
        self._spared = 0
        self._waits = Waits(self.instances)

    def warnings(self, standing: Standing) -> Iterator[str]:
        """Also warn if a dry run is too short to be evaluated."""
        yield from super().warnings(standing)
        enough = with_foresight(self.criterion)
        if (
            self.dry_run
            and self.period(standing).shortest <= standing.epochs < enough
        ):
            yield (
                f'a dry run of {standing.epochs} epochs: ies-mm calibrate '
                'can report how much each delta saves, but not how well the '
                f'criterion predicts later losses, which takes {enough} '
                'epochs or more'
            )

    def forecast(self, standing: Standing) -> str:
        """What a budget will prune; nothing in a dry run."""
        return '' if self.dry_run else super().forecast(standing)

    def update(self, ids: Tensor, losses: Tensor, standing: Standing) -> None:
        """Also record which instances were observed."""
        super().update(ids, losses, standing)
        self._waits.observe(ids, standing.epoch)

    def due(self, standing: Standing) -> Tensor:
        """The instances whose wait ends with this epoch."""
        epoch, period = standing.epoch, self.period(standing)
        # A scoring pass serves the decision after this epoch, if there is one.
        if not (self._recheck.to_the_end or period.may_prune(epoch)):
            return torch.zeros(self.instances, dtype=torch.bool)
        return self._recheck.scored(self._waits.wait, self._waits.seen, epoch)

    def decide(
        self, history: LossHistory, names: Sequence[str], standing: Standing
    ) -> Decision:
        """Find the mastered instances and prune them if the epoch allows."""
        decision = self.judge(history, names, standing)
        chosen = decision.mastered
        may_prune = self.period(standing).may_prune(standing.epoch)
        if self.dry_run and may_prune:
            # A real run would have pruned them, and its budget would go on
            # from there.
            self._spared += int(chosen.sum())
        if self.dry_run or not may_prune:
            # The next epoch trains everything, so all waits start over.
            chosen = torch.zeros_like(chosen)
            decision = replace(decision, selection=Selection(~chosen))
        self._waits.settle(self._recheck, chosen, standing.epoch)
        return decision

    def judge(
        self, history: LossHistory, names: Sequence[str], standing: Standing
    ) -> Decision:
        """The mastered instances, and a selection without them."""
        # A due instance is trained to be observed, and the budget prunes
        # another one instead.
        able = ~self.due_for_training(standing)
        progress = self.progress(names, standing)
        strata = self.strata if self.wants_strata else None
        mastered, out, limits = self.criterion.judge(
            history, names, progress, able, strata
        )
        return Decision(mastered, Selection(~out), _for_record(limits, names))

    def held_back(self, standing: Standing) -> str:
        """Which argument or recheck keeps mastered instances in training."""
        if self.dry_run:
            return 'dry_run=True'
        if not self.period(standing).may_prune(standing.epoch):
            return f'begin={self.begin}, anneal={self.anneal}'
        due = int(self.due_for_training(standing).sum())
        return f'{due} kept for a re-check' if due else ''

    def due_for_training(self, standing: Standing) -> Tensor:
        """Instances the next epoch trains, mastered or not; bool (N,)."""
        wait, seen = self._waits.wait, self._waits.seen
        following = standing.epoch + 1
        # In vain if the steps mix images and so observe none, or if no
        # decision follows.
        if standing.scored_every or not self.period(standing).may_prune(
            following
        ):
            return torch.zeros_like(wait, dtype=torch.bool)
        return self._recheck.trained(wait, seen, following)

    def progress(self, names: Sequence[str], standing: Standing) -> Progress:
        """The progress of the training, for a threshold.

        Images that a dry run would have pruned count as pruned.
        """
        # A resume may have switched the dry run off.
        spared = self._spared if self.dry_run else 0
        standing = replace(standing, excluded=standing.excluded + spared)
        return Progress(
            self.first_loss.judged(self.criterion, names),
            self.seed,
            **vars(self.period(standing).quota(standing)),
        )

    def state_dict(self) -> dict[str, Any]:
        """The first loss, the dry run's count and the waits."""
        return {
            'spared': self._spared,
            **super().state_dict(),
            **self._waits.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned."""
        super().load_state_dict(state)
        self._spared = state['spared']
        self._waits.load_state_dict(state)


def _for_record(limits: Tensor, names: Sequence[str]) -> Any:
    """One number, or one per term; None for a limit that does not exist."""
    # JSON has neither NaN nor infinity.
    numbers = [x if math.isfinite(x) else None for x in limits.tolist()]
    if len(set(numbers)) == 1:
        return numbers[0]
    return dict(zip(names, numbers, strict=True))
