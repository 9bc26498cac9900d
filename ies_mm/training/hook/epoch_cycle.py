"""What happens around an epoch: begin, observe, refresh, decide, record."""

from typing import Any

import torch
from mmengine.runner import Runner
from torch import Tensor

from ies_mm.core import Selection
from ies_mm.training.data.identity import InstanceMap
from ies_mm.training.data.unread import Unread
from ies_mm.training.hook.clock import Clock
from ies_mm.training.hook.method import SelectionMethod
from ies_mm.training.hook.reporter import Reporter
from ies_mm.training.hook.standing import how_it_stands
from ies_mm.training.scoring.refresh import Refresher
from ies_mm.training.state.observations import ObservationsByEpoch
from ies_mm.training.state.state import SelectionState


class EpochCycle(SelectionMethod):
    """The work between epochs, the same for every method and loop.

    Attributes:
        instances (InstanceMap): Numbering of the data set.
        state (SelectionState): What is known after the last epoch.
        observed (ObservationsByEpoch): Of the epochs that have not ended.
        refresher (Refresher): Scores what is left out.
        reporter (Reporter): Writes what happened.
        unread (Unread): Names what cannot be read.
        clock (Clock): Its laps are the parts of an epoch.
    """

    instances: InstanceMap
    state: SelectionState
    observed: ObservationsByEpoch
    refresher: Refresher
    reporter: Reporter
    unread: Unread
    clock: Clock
    mastered = 0
    _start_seconds: float | None = None
    _present: set[str] = set()
    _missed: set[int] = set()
    _filled = 0

    def begin_epoch(self, runner: Runner) -> None:
        """Say what this epoch trains."""
        self.pace.announce_end()
        excluded = self.expected_excluded()
        total = self.state.instances * (self.state.epochs + 1)
        for name, value in (
            ('excluded', excluded),
            ('saved', (self.state.excluded + excluded) / total),
            ('mastered', self.mastered),
        ):
            runner.message_hub.update_scalar(f'train/ies/{name}', value)
        self._start_seconds = None
        self.clock.lap()

    def note_first_batch(self) -> bool:
        """Note how long the epoch's first batch took to come.

        Returns:
            bool: Whether this is the first one.
        """
        if self._start_seconds is not None:
            return False
        self._start_seconds = self.clock.since_lap()
        return True

    def expected_excluded(self) -> int:
        """How many instances the coming epoch leaves out."""
        return len(self.state.selection.excluded)

    def end_epoch(self, runner: Runner) -> None:
        """Observe, refresh, decide, record."""
        record: dict[str, Any] = {
            'start_seconds': self._start_seconds or 0.0,
            'train_seconds': self.clock.lap(),
        }
        known = list(self.state.names)
        observed = self.observed.take(self.state.epochs)
        ids, losses, seen = observed.merge()
        self._present, self._missed = observed.present, observed.missed
        trained, left_out = self.account(seen)
        record['collect_seconds'] = self.clock.lap()
        ids, losses, scored = self.with_scored(runner, ids, losses, left_out)
        self.unread.note(self._missed, [*seen.tolist(), *ids.tolist()])
        self._say_what_changed(runner, known)
        record['refresh_seconds'] = self.clock.lap()
        record |= self._take_decision(ids, losses, left_out)
        record['decide_seconds'] = self.clock.lap()
        record |= {'trained': int(trained.sum()), 'forward_only': scored}
        record |= {'method': self.method, 'delta': self.delta}
        self.reporter.add(
            record,
            self.state.names,
            ids,
            losses,
            trained,
            self.what_was_decided(),
        )
        self.stop_if_nothing_is_left(runner)

    def _say_what_changed(self, runner: Runner, known: list[str]) -> None:
        """Name the terms that joined, left or came back in this epoch."""
        joined = [name for name in self.state.names if name not in known]
        gone, back = self.state.note_terms(self._present)
        for terms, what in (
            (joined if self.state.epochs else [], 'joined'),
            (gone, 'left'),
            (back, 'came back'),
        ):
            if terms:
                runner.logger.info(
                    f'loss term {", ".join(terms)} {what} in epoch '
                    f'{self.state.epochs + 1}: it counts as 0 while it is not '
                    'there, and images are judged across the seam by the '
                    'other terms'
                )

    def account(self, seen: Tensor) -> tuple[Tensor, Tensor]:
        """What the epoch trained and what it left out.

        Args:
            seen (Tensor): int64 (M,), the instances that were observed.

        Returns:
            tuple: trained and left out, bool (N,).
        """
        trained = torch.zeros(self.state.instances, dtype=torch.bool)
        trained[seen] = True
        left_out = self.pace.left_out(
            self.state.epochs, self.state.selection, trained
        )
        return trained, left_out

    def with_scored(
        self, runner: Runner, ids: Tensor, losses: Tensor, left_out: Tensor
    ) -> tuple[Tensor, Tensor, int]:
        """Add observations from forward passes over what was left out.

        Args:
            runner (Runner): The runner.
            ids (Tensor): int64 (M,), observed in training.
            losses (Tensor): float32 (M, T).
            left_out (Tensor): bool (N,).

        Returns:
            tuple: ids, losses, and how many instances were scored so.
        """
        due = left_out & self.due(self.state.epochs + 1)
        if not due.any():
            return ids, losses, 0
        scores = self.refresher.score(
            runner,
            torch.nonzero(due).flatten(),
            self.state.names,
        )
        more, more_losses, seen = scores.merge()
        self._present |= scores.present
        self._missed |= scores.missed
        losses = _padded(losses, more_losses.shape[1])
        # A data set that fetches another image may show a trained one.
        new = ~torch.isin(more, ids)
        return (
            torch.cat([ids, more[new]]),
            torch.cat([losses, more_losses[new]]),
            len(seen),
        )

    def select(self, selection: Selection) -> None:
        """Train on this in the epoch to come."""
        self.state.selection = self.pace.fill_batches(
            self.state.epochs, selection
        )
        self._filled = int(
            (self.state.selection.active & ~selection.active).sum()
        )
        self.sampler.set_selection(self.state.selection)

    def stop_if_nothing_is_left(self, runner: Runner) -> None:
        """End the training where every instance is mastered."""
        if self.state.selection.active.any():
            return
        planned, standing = self.pace.max_epochs, how_it_stands(runner)
        runner.logger.warning(
            f'{self.method} stops the training after {self.state.epochs} '
            f'epochs: all {self.state.instances} images are mastered. Of '
            f'{planned} epochs {planned - self.state.epochs} are not trained'
            f'{standing}. If that is too early, give a smaller delta, or one '
            "that sets itself: delta=dict(type='Budget', saved=0.2)"
        )
        self.pace.stop(self.state.epochs)

    def what_was_decided(self) -> str:
        """What the log says of the decision after an epoch."""
        if self.state.epochs >= self.pace.max_epochs:
            return 'nothing is left to decide, '
        out = self.expected_excluded()
        why = [f'{self._filled} trained to fill a batch'] * (self._filled > 0)
        why += [self._without_objects()]
        why += [self.held_back(self.state.epochs)] * (out < self.mastered)
        because = ', '.join(reason for reason in why if reason)
        return (
            f'{self.mastered} are mastered, {out} are left out of the next '
            f'epoch{because and f" ({because})"}, '
        )

    def _without_objects(self) -> str:
        """How many of what is left out show nothing, where images do."""
        empty = self.instances.without_objects()
        out = self.state.selection.excluded
        if not len(out) or not empty.any():
            return ''
        return (
            f'{int(empty[out].sum())} of the {int(empty.sum())} images '
            'without objects'
        )

    def _take_decision(
        self, ids: Tensor, losses: Tensor, left_out: Tensor
    ) -> dict[str, Any]:
        """Take the epoch in and set up the next one."""
        self.state.history.observe(ids, losses)
        self.take_in(ids, losses)
        counts = self.state.count_epoch(left_out)
        mastered, selection = self.decide(
            self.state.history, self.state.names, self.state.epochs
        )
        self.select(selection)
        self.mastered = int(mastered.sum())
        return counts | {'mastered': self.mastered}


def _padded(losses: Tensor, terms: int) -> Tensor:
    """With columns of zeros for terms that scoring was the first to see."""
    return torch.nn.functional.pad(losses, (0, terms - losses.shape[1]))
