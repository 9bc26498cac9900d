"""Counting in ``IterBasedTrainLoop``, where a pass is an epoch."""

from collections import defaultdict
from collections.abc import Sequence
from itertools import groupby
from typing import Any

import torch
from mmengine.dist import get_rank, get_world_size
from mmengine.runner import Runner
from torch import Tensor

from ies_mm.core import Selection
from ies_mm.core.selection import none_if_all_are_one
from ies_mm.errors import ConfigError
from ies_mm.training import mmengine_internals as internals
from ies_mm.training.data.sampler import IESSampler
from ies_mm.training.data.stream import Drawn
from ies_mm.training.loop.endless_loader import (
    check_order,
    fresh_iterator,
    say_how_late,
)
from ies_mm.training.loop.fetched import packed, unpacked
from ies_mm.training.loop.optimisers import optim_wrappers
from ies_mm.training.loop.pace import REPLACED, Pace
from ies_mm.training.loop.sample_budget import SampleBudget
from ies_mm.training.loop.schedule import Schedule

RESTARTED = (
    'a hook reads the data loader of the training while it runs, whose '
    'persistent workers then restart and lose the batches they had '
    'fetched; set train_dataloader.persistent_workers=False, or give the hook '
    'a data loader of its own'
)


class IterationPace(Pace):
    """``max_iters`` as a budget of samples.

    The budget is the number of samples in ``max_iters`` full batches. Trained
    and skipped samples both consume it, so that skipping ends the run
    earlier. Samples are counted over all ranks. If a run is resumed with
    another number of samples per iteration, the remaining iterations have
    that many.

    Raises:
        ConfigError: The loader's batches do not follow the sampler's order.
    """

    loop_ends_epochs = False
    length = 'max_iters'

    def __init__(self, runner: Runner, sampler: IESSampler) -> None:
        super().__init__(runner, sampler)
        self.sampler = sampler
        check_order(runner)
        self._positions = len(sampler.dataset)
        self._announced = self._planned_length
        self._budget = SampleBudget(self._planned_length, self._batch_samples)
        self._shown: dict[int, list[int]] = defaultdict(list)
        # If this resumes a plain run, that one has skipped nothing.
        self._restart(runner.iter * self._batch_samples)
        self._shown[self.epochs_behind].extend(sampler.stream.shown_before())
        say_how_late(runner)

    def check_loader(self) -> None:
        """Reject a batch of another data loader or iterator."""
        super().check_loader()
        if self.loop.dataloader_iterator is not self._iterator:
            raise ConfigError(REPLACED)
        persistent = self.loop.dataloader.persistent_workers
        if persistent and self.sampler.stream.read_aside:
            raise ConfigError(RESTARTED)

    @property
    def max_epochs(self) -> int:
        """Passes begun within the budget."""
        return -(-self._budget.samples // self._positions)

    @property
    def last_epoch(self) -> float:
        """The part of the last pass that is within the budget."""
        rest = self._budget.samples % self._positions
        return rest / self._positions if rest else 1.0

    @property
    def epochs_behind(self) -> int:
        """Passes completed before the next sample."""
        return self._consumed // self._positions

    def take(self, samples: int) -> list[tuple[int, int]]:
        """See :meth:`Pace.take`; batches may cross the end of a pass.

        Raises:
            ConfigError: The batch has more samples than were drawn.
        """
        drawn = self.sampler.stream.drawn
        if samples > len(drawn):
            raise ConfigError(
                f'a batch has {samples} samples, and the sampler drew '
                f'{len(drawn)}; train_dataloader.collate_fn must not add any'
            )
        taken = [drawn.popleft() for _ in range(samples)]
        # All ranks' positions, so that each knows without asking what the pass
        # has shown.
        for sample in taken:
            for epoch, position in zip(
                sample.passes, sample.positions, strict=True
            ):
                self._shown[epoch].append(position)
        self._consumed = taken[-1].consumed
        rank = get_rank()
        self._asked_for = torch.tensor([s.positions[rank] for s in taken])
        self._weights = torch.tensor([s.weights[rank] for s in taken])
        epochs = [sample.passes[rank] for sample in taken]
        return [(epoch, len(list(run))) for epoch, run in groupby(epochs)]

    def asked_for(self, ids: Tensor, selection: Selection) -> Tensor:
        """Compare the images one by one, in the order they were drawn."""
        return ids == self.sampler.instances.of_position[self._asked_for]

    def weights(self, ids: Tensor, selection: Selection) -> Tensor | None:
        """By the selections under which the samples were drawn."""
        return none_if_all_are_one(self._weights)

    def after_iteration(self, batch_idx: int) -> None:
        """Count iterations as the unpruned run would."""
        done = self._budget.iterations_of(self._consumed)
        # The last batch may exceed the budget; schedules end where planned.
        self._schedule.advance(min(done, self._planned_length))
        # The loop's own count is one behind until its hooks are done.
        self._iterations += 1
        self.announce_end()

    def is_over(self, epoch: int) -> bool:
        """Whether the last position of this pass was shown or skipped."""
        return self._consumed >= (epoch + 1) * self._positions

    def left_out(
        self, epoch: int, selection: Selection, trained: Tensor
    ) -> Tensor:
        """The instances not shown, even if a selection took effect late."""
        shown = torch.tensor(self._shown.pop(epoch, []), dtype=torch.long)
        left_out = ~trained
        left_out[self.sampler.instances.of_position[shown]] = False
        return left_out

    def announce_end(self) -> None:
        """Expect the rest of this pass, then whole passes like it."""
        ahead = 0
        if self._consumed < self._budget.samples and self.sampler.selected:
            ahead = self._iterations_left()
        end = self._iterations + ahead
        if not ahead:
            self._validate_by(self._planned_length, end)
        self._set_max_iters(end)
        self._announced = end

    def stop(self, epochs: int) -> None:
        """With nothing selected, no iterations remain."""
        self.announce_end()

    def withdraw(self) -> None:
        """Also the planned length, unless it was changed since."""
        super().withdraw()
        if self.runner.max_iters == self._announced:
            self._set_max_iters(self._planned_length)

    def state_dict(self) -> dict[str, Any]:
        """The position of the stream after the last sample trained."""
        shown = torch.zeros(self._positions, dtype=torch.bool)
        shown[self._shown[self.epochs_behind]] = True
        return {
            **super().state_dict(),
            'since': list(self._budget.since),
            'consumed': self._consumed,
            'shown': shown,
            'seed': self.sampler.stream.seed,
            'fetched': packed(self.sampler.stream.fetched),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue after the last sample trained."""
        self._budget = self._budget.resumed(
            state['since'], state['batch_samples'], state['consumed']
        )
        super().load_state_dict(state)
        fetched = unpacked(state['fetched'] or {})
        self._restart(state['consumed'], state['seed'], fetched)
        shown = torch.nonzero(state['shown']).flatten().tolist()
        self._shown.clear()
        self._shown[self.epochs_behind].extend(shown)

    def _after_change(self) -> str:
        left = self._budget.iterations_ahead
        return (
            f'the remaining {left} iterations of {self._planned_length} have '
            'that many, and schedules continue step by step'
        )

    def _iterations_left(self) -> int:
        """Iterations left; exact if gradients are accumulated."""
        left = max(1, -(-self._samples_left() // self._batch_samples))
        steps = max(
            internals.gathered_steps(w)
            for w in optim_wrappers(self.runner.optim_wrapper)
        )
        if steps == 1:
            return left
        # With accumulated gradients the wrapper must know the last step before
        # its first batch; the stream tells what the next ones consume.
        samples = self._batch_samples // get_world_size()
        ends = self.sampler.stream.consumed_after(steps, samples)
        for ahead, consumed in enumerate(ends, start=1):
            if consumed >= self._budget.samples:
                return ahead
        # The end is beyond the next optimizer step, none of whose batches may
        # seem to be the last.
        return max(steps + 1, left)

    def _samples_left(self) -> int:
        epoch, selected = self.epochs_behind, self.sampler.selected
        budget = self._budget.samples
        in_pass = min(
            selected - len(self._shown[epoch]), budget - self._consumed
        )
        ahead = max(0, budget - (epoch + 1) * self._positions)
        return max(0, in_pass) + -(-ahead * selected // self._positions)

    def _restart(
        self,
        consumed: int,
        seed: int | None = None,
        fetched: Sequence[Drawn] = (),
    ) -> None:
        self._consumed = consumed
        self._iterations = self.runner.iter
        self._schedule = Schedule(
            self.runner, self._budget.iterations_of(consumed)
        )
        self.sampler.endless(consumed, seed, fetched)
        loader, stream = self.loop.dataloader, self.sampler.stream
        self._iterator = fresh_iterator(loader, self.runner.iter, stream)
        self.loop.dataloader_iterator = self._iterator
