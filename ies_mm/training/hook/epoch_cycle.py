"""The work around an epoch: begin, observe, refresh, decide, record."""

from typing import Any

from mmengine.runner import Runner
from torch import Tensor

from ies_mm.training.data.unreadable_images import Unread
from ies_mm.training.hook.reporter import Reporter
from ies_mm.training.hook.scoring_share import ScoringShare
from ies_mm.training.hook.steps import Steps
from ies_mm.training.hook.trained_epoch import Merged, TrainedEpoch
from ies_mm.training.hook.words import how_it_stands, what_was_decided
from ies_mm.training.state.observations import Observations
from ies_mm.training.state.session import Session


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
        # First: it sets the epoch's length, over which schedules are spread.
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
        # Time between epochs, such as that of saving, belongs to no lap.
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
        # Before anything is decided by losses that may be wrong.
        self._steps.comparison.check()
        lap = self._clock.lap
        record: dict[str, Any] = {
            'start_seconds': self._start_seconds or 0.0,
            # Without waiting for a GPU: what it still computes counts in the
            # next lap, which reads the losses.
            'train_seconds': lap(),
        }
        epoch = self._collect()
        record['collect_seconds'] = lap()
        due = self._refresh(epoch)
        record['refresh_seconds'] = lap()
        record['scoring_share'] = self._scoring_share(record, due)
        record |= self._take_decision(epoch)
        record['decide_seconds'] = lap()
        self._record(record, epoch)
        self.stop_if_nothing_is_left()

    def stop_if_nothing_is_left(self) -> None:
        """End the training if every instance is mastered."""
        state, pace = self._session.state, self._session.pace
        if state.selection.active.any():
            return
        # Before stop() changes the planned number.
        planned, standing = pace.max_epochs, how_it_stands(self._runner)
        self._runner.logger.warning(
            f'{self._session.method.name} stops the training after '
            f'{state.epochs} epochs: all {state.instances} images are '
            f'mastered. Of {planned} epochs {planned - state.epochs} are not '
            f'trained{standing}. If that is too early, give a smaller delta, '
            "or let it set itself: delta=dict(type='Budget', saved=0.2)"
        )
        pace.stop(state.epochs)

    def end_training(self) -> None:
        """Record that the training ended, and why."""
        state, reason = self._session.state, 'planned'
        if not state.selection.active.any():
            reason = 'mastered'
        elif self._session.pace.was_stopped():
            reason = 'stopped'
        self._reporter.end(state.epochs, reason)

    def _collect(self) -> TrainedEpoch:
        """What the epoch's steps observed, on all ranks."""
        state = self._session.state
        # A copy, as merging adds the terms that joined to the run's list.
        known = list(state.names)
        noted = self._session.observed.take(state.epochs)
        ids, losses, seen = noted.merge()
        trained, left_out = self._steps.account(seen)
        return TrainedEpoch(noted, known, seen, trained, left_out, ids, losses)

    def _refresh(self, epoch: TrainedEpoch) -> int:
        """Add the observations of a scoring pass.

        Returns:
            int: Number of instances that were to be scored.
        """
        due = self._steps.source.due(epoch.left_out)
        # Equal on all ranks, so that all of them make the pass or none.
        if len(due):
            epoch.join(self._scored(due, epoch.noted))
        if len(due) or self._steps.source.needs_every_step:
            self._steps.check_terms()
        self._unread.note(epoch.noted.missed, epoch.seen, epoch.ids)
        self._say_what_changed(epoch.known, epoch.noted.present)
        # Steps that score pause the clock; that time counts as scoring.
        self._clock.credit(self._steps.scoring_seconds())
        return len(due)

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
            # In the first epoch all terms are new.
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

    def _scoring_share(self, record: dict[str, Any], due: int) -> float:
        """Seconds of scoring over those of training, so far."""
        every, by_steps = self._session.scored_every, self._steps.selects
        return self._share.add(
            record['train_seconds'],
            record['refresh_seconds'] if due or by_steps else 0.0,
            None if by_steps else every,
        )

    def _take_decision(self, epoch: TrainedEpoch) -> dict[str, Any]:
        """Take in the epoch and select the next; return record entries."""
        session, state = self._session, self._session.state
        state.history.observe(epoch.ids, epoch.losses)
        # Counted first: a method is told how things stand after the epoch.
        counts = state.count_epoch(epoch.left_out)
        standing = session.standing()
        session.method.update(epoch.ids, epoch.losses, standing)
        decision = session.method.decide(state.history, state.names, standing)
        session.select(decision.selection)
        state.mastered = int(decision.mastered.sum())
        return counts | {'mastered': state.mastered, 'delta': decision.limit}

    def _record(self, record: dict[str, Any], epoch: TrainedEpoch) -> None:
        session = self._session
        record |= {
            'trained': int(epoch.trained.sum()),
            'forward_only': self._steps.scored() + epoch.scored,
            'method': session.method.name,
            **self._steps.recorded(),
        }
        decided = '' if self._steps.selects else what_was_decided(session)
        self._reporter.add(
            record,
            session.state.names,
            epoch.ids,
            epoch.losses,
            epoch.trained,
            epoch.left_out,
            decided,
            session.correct.take(),
        )
