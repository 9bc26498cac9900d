"""The work around an epoch: begin, observe, refresh, decide, record."""

from typing import Any

import torch
from mmengine.runner import Runner
from torch import Tensor

from ies_mm.training.data.unreadable_images import Unread
from ies_mm.training.hook.reporter import Reporter
from ies_mm.training.hook.scoring_share import ScoringShare
from ies_mm.training.hook.steps import Steps
from ies_mm.training.hook.words import how_it_stands, what_was_decided
from ies_mm.training.state.observations import Observations
from ies_mm.training.state.session import Session

Merged = tuple[Tensor, Tensor, Tensor]
"""As :meth:`Observations.merge` returns: ids, losses, instances seen."""


class EpochCycle:
    """The work between epochs, the same for every method and loop.

    Args:
        session (Session): The session of the training.
        steps (Steps): Its training steps; their clock's laps are the parts of
            an epoch.
        reporter (Reporter): Writes the records and the log.
    """

    def __init__(
        self,
        session: Session,
        steps: Steps,
        reporter: Reporter,
    ) -> None:
        self._session = session
        self._runner: Runner = session.runner
        self._steps = steps
        self._clock = steps.clock
        self._reporter = reporter
        self._unread = Unread(session.instances, self._runner.logger)
        self._start_seconds: float | None = None
        self._share = ScoringShare(
            self._runner.logger, session.method.scoring_advice
        )

    def begin(self) -> None:
        """Log what this epoch trains; decide whether to compare a batch."""
        state, pace = self._session.state, self._session.pace
        pace.announce_end()
        excluded = self._steps.expected_excluded()
        total = state.instances * (state.epochs + 1)
        self._reporter.begin(
            excluded=excluded,
            saved=(state.excluded + excluded) / total,
            mastered=state.mastered,
        )
        self._steps.comparison.begin_epoch(state.epochs + 1)
        self._start_seconds = None
        self._clock.lap()

    def note_first_batch(self) -> bool:
        """Note how long the epoch's first batch took to arrive.

        Returns:
            bool: Whether this is the first batch.
        """
        if self._start_seconds is not None:
            return False
        self._start_seconds = self._clock.since_lap()
        return True

    def end(self) -> None:
        """Compare, observe, refresh, decide, record."""
        self._steps.comparison.check()
        state = self._session.state
        record: dict[str, Any] = {
            'start_seconds': self._start_seconds or 0.0,
            'train_seconds': self._clock.lap(),
        }
        known = list(state.names)
        observed = self._session.observed.take(state.epochs)
        ids, losses, seen = observed.merge()
        trained, left_out = self._steps.account(seen)
        record['collect_seconds'] = self._clock.lap()
        due = self._steps.source.due(left_out)
        scored = self._scored(due, observed) if len(due) else None
        ids, losses = _joined((ids, losses), scored)
        self._unread.note(observed.missed, seen, ids)
        self._say_what_changed(known, observed.present)
        self._clock.credit(self._steps.scoring_seconds())
        record['refresh_seconds'] = self._clock.lap()
        record['scoring_share'] = self._scoring_share(record, len(due))
        record |= self._take_decision(ids, losses, left_out)
        record['decide_seconds'] = self._clock.lap()
        record |= {
            'trained': int(trained.sum()),
            'forward_only': self._steps.scored() + _number(scored),
            'method': self._session.method.name,
            **self._steps.recorded(),
        }
        decided = self._what_was_decided()
        correct = self._session.correct.take()
        names = state.names
        self._reporter.add(
            record, names, ids, losses, trained, decided, correct
        )
        self.stop_if_nothing_is_left()

    def end_training(self) -> None:
        """Record that the training ended, and why."""
        state, reason = self._session.state, 'planned'
        if not state.selection.active.any():
            reason = 'mastered'
        elif self._session.pace.was_stopped():
            reason = 'stopped'
        self._reporter.end(state.epochs, reason)

    def stop_if_nothing_is_left(self) -> None:
        """End the training if every instance is mastered."""
        state, pace = self._session.state, self._session.pace
        if state.selection.active.any():
            return
        planned, standing = pace.max_epochs, how_it_stands(self._runner)
        self._runner.logger.warning(
            f'{self._session.method.name} stops the training after '
            f'{state.epochs} epochs: all {state.instances} images are '
            f'mastered. Of {planned} epochs {planned - state.epochs} are not '
            f'trained{standing}. If that is too early, give a smaller delta, '
            "or let it set itself: delta=dict(type='Budget', saved=0.2)"
        )
        pace.stop(state.epochs)

    def _scoring_share(self, record: dict[str, Any], due: int) -> float:
        """Seconds of scoring over those of training, so far."""
        every, by_steps = self._session.scored_every, self._steps.selects
        return self._share.add(
            record['train_seconds'],
            record['refresh_seconds'] if due or by_steps else 0.0,
            None if by_steps else every,
        )

    def _scored(self, due: Tensor, trained: Observations) -> Merged:
        """Observations from forward passes.

        Args:
            due (Tensor): int64 (M,), instances.
            trained (Observations): The epoch's observations; terms and misses
                of these passes are added.
        """
        with self._session.correct.noting(self._runner.model):
            scored = self._steps.source.score(due)
        merged = scored.merge()
        trained.present |= scored.present
        trained.missed |= scored.missed
        return merged

    def _say_what_changed(self, known: list[str], present: set[str]) -> None:
        """Log the terms that joined, left or returned in this epoch."""
        state = self._session.state
        joined = [name for name in state.names if name not in known]
        gone, back = state.note_terms(present)
        for terms, what in (
            (joined if state.epochs else [], 'joined'),
            (gone, 'left'),
            (back, 'came back'),
        ):
            if terms:
                self._runner.logger.info(
                    f'loss term {", ".join(terms)} {what} in epoch '
                    f'{state.epochs + 1}: it counts as 0 while it is not '
                    'there, and images are judged across the change by the '
                    'other terms'
                )

    def _take_decision(
        self, ids: Tensor, losses: Tensor, left_out: Tensor
    ) -> dict[str, Any]:
        """Take in the epoch and select the next; return record entries."""
        session, state = self._session, self._session.state
        state.history.observe(ids, losses)
        counts = state.count_epoch(left_out)
        standing = session.standing()
        session.method.take_in(ids, losses, standing)
        decision = session.method.decide(state.history, state.names, standing)
        session.select(decision.selection)
        state.mastered = int(decision.mastered.sum())
        return counts | {'mastered': state.mastered, 'delta': decision.limit}

    def _what_was_decided(self) -> str:
        if self._steps.selects:
            return ''
        return what_was_decided(self._session)


def _joined(
    trained: tuple[Tensor, Tensor], scored: Merged | None
) -> tuple[Tensor, Tensor]:
    """Join the observations of training steps and of later forward passes.

    Returns:
        tuple: ids, int64 (M,), each once, and losses, float32 (M, T).
    """
    if scored is None:
        return trained
    (ids, losses), (more, more_losses, _) = trained, scored
    # Scoring may be the first to see a term.
    joined = more_losses.shape[1] - losses.shape[1]
    losses = torch.nn.functional.pad(losses, (0, joined))
    # A dataset that fetches another image may show a trained one.
    new = ~torch.isin(more, ids)
    return (
        torch.cat([ids, more[new]]),
        torch.cat([losses, more_losses[new]]),
    )


def _number(scored: Merged | None) -> int:
    return 0 if scored is None else len(scored[2])
