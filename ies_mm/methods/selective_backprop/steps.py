"""Steps of Selective-Backprop: score first, train when a batch is full."""

import copy
from collections import defaultdict
from contextlib import nullcontext
from typing import Any, cast

import torch
from torch import Tensor

from ies_mm.losses.capture.random_state import preserved_random_state
from ies_mm.methods.selective_backprop.rule import SelectiveBackprop
from ies_mm.training.data.shown_images import batch_instances
from ies_mm.training.data.tagging import instances_of
from ies_mm.training.hook.clock import Clock
from ies_mm.training.hook.incoming import Batch
from ies_mm.training.hook.sources import Sources
from ies_mm.training.hook.step_comparison import StepComparison
from ies_mm.training.hook.steps import Steps
from ies_mm.training.hook.wrapped_step import Step
from ies_mm.training.loop.batches import largest_size, sample_of
from ies_mm.training.scoring.received_images import Given, in_order
from ies_mm.training.scoring.scoring import forward_only, preprocessed, score
from ies_mm.training.state.session import Session


class GatheringSteps(Steps):
    """Scores every batch; chosen images are queued until they fill a batch.

    Args:
        session (Session): See :class:`Steps`. Its method must be a
            :class:`SelectiveBackprop`.
        sources (Sources): See :class:`Steps`.
        comparison (StepComparison): See :class:`Steps`.
        clock (Clock): See :class:`Steps`.
    """

    selects = True

    def __init__(
        self,
        session: Session,
        sources: Sources,
        comparison: StepComparison,
        clock: Clock,
    ) -> None:
        super().__init__(session, sources, comparison, clock)
        self._method: SelectiveBackprop = cast(Any, session.method)
        self._runner = self.session.runner
        self._queue: list[tuple[int, dict[str, Any]]] = []
        self._chosen: dict[int, list[int]] = defaultdict(list)
        self._shown = 0
        self._seconds = 0.0
        # Saves the queue in checkpoints, with the method's own state.
        self.session.stateful.append(self)

    def train(self, batch: Batch, step: Step) -> Any:
        """Score the batch; train as soon as enough images are chosen."""
        losses = self._score(batch)
        self._choose(batch, losses)
        size = largest_size(self._runner.train_dataloader)
        # If nothing is trained, log the scored loss.
        outputs: Any = {'loss': losses.mean()}
        while len(self._queue) >= size:
            outputs = self._train(size, step)
        if self.session.pace.is_last(batch.index) and self._queue:
            if len(self._queue) == 1:
                # BatchNorm cannot be trained on a single image.
                number, _ = self._queue.pop()
                self._chosen[self.session.state.epochs].remove(number)
            else:
                outputs = self._train(size, step)
        return outputs

    def account(self, seen: Tensor) -> tuple[Tensor, Tensor]:
        """Count chosen images as trained, and only scored ones as pruned."""
        shown, _ = super().account(seen)
        self._shown = int(shown.sum())
        chosen = torch.zeros_like(shown)
        chosen[self._chosen.pop(self.session.state.epochs, [])] = True
        return chosen, shown & ~chosen

    def scored(self) -> int:
        """Number of images scored: all that were shown."""
        return self._shown

    def scoring_seconds(self) -> float:
        """Time spent on scoring since the last call."""
        seconds, self._seconds = self._seconds, 0.0
        return seconds

    def expected_excluded(self) -> int:
        """The previous epoch's count, as an estimate."""
        return int(self.session.state.left_out.sum())

    def state_dict(self) -> dict[str, Any]:
        """The chosen images and the queue."""
        return {
            'chosen': dict(self._chosen),
            'queue': [number for number, _ in self._queue],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore from a checkpoint; queued images are loaded again."""
        for epoch, ids in state['chosen'].items():
            self._chosen[epoch].extend(ids)
        dataset: Any = self.session.sampler.dataset
        positions = self.session.instances.first_positions().tolist()
        # Loading augments the images, and must not advance the training's
        # random numbers.
        with preserved_random_state():
            samples = [dataset[positions[number]] for number in state['queue']]
        # If a pipeline rejected an image, another one replaced it.
        self._queue = [
            (int(instances_of([sample['data_samples']])), sample)
            for sample in samples
        ]

    def _score(self, batch: Batch) -> Tensor:
        """Losses of the batch's images, float32 (B,)."""
        self.clock.pause()
        with forward_only(self._runner), self.source.watching():
            # Copy: a preprocessor may change its input in place.
            data = preprocessed(self._runner, copy.deepcopy(batch.data))
            captured = score(self._runner, data, self.comparison.fallback)
        # The data preprocessor may have reordered the batch.
        in_order(captured, batch_instances(data), batch.ids)
        self.observe(batch, captured)
        # A wait for the device, but what is trained next depends on the
        # values.
        losses = captured.totals().cpu()
        self._seconds += self.clock.resume()
        return losses

    def _choose(self, batch: Batch, losses: Tensor) -> None:
        """Draw images of the batch and queue them."""
        drawn = self._method.choose(losses, self._runner.iter)
        epochs = [k for k, samples in batch.epochs for _ in range(samples)]
        for place in torch.nonzero(drawn).flatten().tolist():
            number = int(batch.ids[place])
            self._queue.append((number, sample_of(batch.data, place)))
            # It may be trained in the next pass, but counts in the one that
            # drew it.
            self._chosen[epochs[place]].append(number)

    def _train(self, size: int, step: Step) -> Any:
        """Train on the oldest samples of the queue."""
        taken, self._queue = self._queue[:size], self._queue[size:]
        collate: Any = self._runner.train_dataloader.collate_fn
        data = collate([sample for _, sample in taken])
        given = Given(torch.tensor([number for number, _ in taken]))
        # The losses are known from scoring, so this capture is only for
        # comparison.
        compared = self.comparison.captured() if self.comparison.due else None
        with (
            compared or nullcontext() as captured,
            given.noting(self._runner.model, captured),
        ):
            outputs = step(data)
        given.check()
        return outputs
