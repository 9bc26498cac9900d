"""Selective-Backprop: the method that selects inside of the step."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

import torch
from mmengine.dist import get_world_size
from mmengine.registry import HOOKS
from mmengine.runner import Runner
from torch import Tensor

from ies_mm.core import LossHistory, Selection
from ies_mm.core.arguments import check_integer, check_number
from ies_mm.errors import ConfigError
from ies_mm.losses.capture.random_state import preserved_random_state
from ies_mm.methods.selective_backprop.rule import RecentLosses
from ies_mm.training.data.identity import batch_instances
from ies_mm.training.data.tagging import instances_of
from ies_mm.training.hook.selection_hook import Batch, SelectionHook
from ies_mm.training.loop.batches import largest_size
from ies_mm.training.scoring.given import Given, in_order
from ies_mm.training.scoring.scoring import forward_only, preprocessed, score


@HOOKS.register_module()
class SelectiveBackpropHook(SelectionHook):
    r"""Selective-Backprop (Jiang et al., 2019): train on the biggest losers.

    Every batch is scored by a forward pass first (noisy layers held, no
    gradient). An image is chosen with the probability :math:`CDF(L)^\beta`,
    the share of the last ``recent`` losses that its own is not below. Chosen
    images are gathered until they make a batch, and that is trained; what is
    gathered at the end of an epoch is trained as a smaller one, if it is more
    than a single image. Every image is loaded and scored every epoch, so only
    backward passes are saved, and the chosen images are forwarded twice.

    Args:
        beta (float): The higher, the fewer are chosen: about
            ``1 / (beta + 1)``. Defaults to 1.
        recent (int): Losses that a new one is compared with. Defaults to
            1024, the authors'.
        keep_history (bool): See :class:`IESHook`. Defaults to False.
        allow_batch_augments (bool): See :class:`IESHook`. Defaults to False.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: An argument is out of range.
    """

    method = 'Selective-Backprop'

    def __init__(
        self,
        beta: float = 1.0,
        recent: int = 1024,
        keep_history: bool = False,
        allow_batch_augments: bool = False,
    ) -> None:
        super().__init__(1, keep_history, allow_batch_augments)
        check_number('beta', beta, 0)
        check_integer('recent', recent, 1)
        self.beta = beta
        self.recent = recent

    def before_train(self, runner: Runner) -> None:
        """Refuse several processes, whose queues would not fill alike.

        Raises:
            ConfigError: There are several.
        """
        if get_world_size() > 1:
            raise ConfigError(
                f'{self.method} selects inside of the step, for which there '
                f'must be one process, found {get_world_size()}; take another '
                'method'
            )
        super().before_train(runner)

    def reset(self) -> None:
        """Nothing is gathered, nothing is known."""
        self._recent = RecentLosses(self.recent)
        self._queue: list[tuple[int, dict[str, Any]]] = []
        self._chosen: dict[int, list[int]] = defaultdict(list)
        self._shown = 0
        self._scoring_seconds = 0.0

    def train_batch(
        self, runner: Runner, batch: Batch, step: Callable[[Any], Any]
    ) -> Any:
        """Score the batch; train as soon as enough has been chosen."""
        losses = self._score(runner, batch)
        self._choose(runner, batch, losses)
        size = largest_size(runner.train_dataloader)
        # Where nothing is trained the log has the loss that was scored.
        outputs: Any = {'loss': losses.mean()}
        while len(self._queue) >= size:
            outputs = self._train(runner, size, step)
        if self.pace.is_last(batch.index) and self._queue:
            if len(self._queue) == 1:
                # BatchNorm cannot be trained on one image alone.
                number, _ = self._queue.pop()
                self._chosen[self.state.epochs].remove(number)
            else:
                outputs = self._train(runner, size, step)
        return outputs

    def account(self, seen: Tensor) -> tuple[Tensor, Tensor]:
        """What was chosen is trained, what was only scored is left out."""
        shown, _ = super().account(seen)
        self._shown = int(shown.sum())
        chosen = torch.zeros_like(shown)
        chosen[self._chosen.pop(self.state.epochs, [])] = True
        return chosen, shown & ~chosen

    def with_scored(
        self, runner: Runner, ids: Tensor, losses: Tensor, left_out: Tensor
    ) -> tuple[Tensor, Tensor, int]:
        """The scores are in already; their time and number are counted."""
        self.clock.credit(self._scoring_seconds)
        self._scoring_seconds = 0.0
        return ids, losses, self._shown

    def expected_excluded(self) -> int:
        """As many as in the epoch before; who knows."""
        return int(self.state.left_out.sum())

    def what_was_decided(self) -> str:
        """Nothing: each step chooses."""
        return ''

    def decide(
        self, history: LossHistory, names: Sequence[str], epoch: int
    ) -> tuple[Tensor, Selection]:
        """Between epochs nothing is decided."""
        nothing = torch.zeros(history.instances, dtype=torch.bool)
        return nothing, Selection.everything(history.instances)

    def method_state(self) -> dict[str, Any]:
        """The recent losses, the choice, and what waits to be trained."""
        return {
            'recent': self._recent.values,
            'chosen': dict(self._chosen),
            'queue': [number for number, _ in self._queue],
        }

    def load_method_state(self, state: dict[str, Any]) -> None:
        """Go on with what a checkpoint has; what waits is loaded anew."""
        self._recent.values = state['recent'].cpu()
        for epoch, ids in state['chosen'].items():
            self._chosen[epoch].extend(ids)
        dataset: Any = self.sampler.dataset
        positions = self.instances.first_positions().tolist()
        with preserved_random_state():
            samples = [dataset[positions[number]] for number in state['queue']]
        # Where a pipeline gives up on one, another image has come instead.
        self._queue = [
            (int(instances_of([sample['data_samples']])), sample)
            for sample in samples
        ]

    def _score(self, runner: Runner, batch: Batch) -> Tensor:
        """Losses of the batch's images, float32 (B,)."""
        self.clock.pause()
        with forward_only(runner):
            data = preprocessed(runner, batch.data)
            captured = score(runner, data)
        in_order(captured, batch_instances(data), batch.ids)
        self.observe(batch, captured)
        losses = captured.totals().cpu()
        self._scoring_seconds += self.clock.go_on()
        return losses

    def _choose(self, runner: Runner, batch: Batch, losses: Tensor) -> None:
        """Draw, and gather what was drawn."""
        self._recent.add(losses)
        chances = self._recent.probabilities(losses, self.beta)
        generator = self.generator(runner.iter)
        drawn = torch.rand(len(losses), generator=generator) < chances
        epochs = [k for k, samples in batch.epochs for _ in range(samples)]
        for place in torch.nonzero(drawn).flatten().tolist():
            number = int(batch.ids[place])
            sample = {key: part[place] for key, part in batch.data.items()}
            self._queue.append((number, sample))
            self._chosen[epochs[place]].append(number)

    def _train(
        self, runner: Runner, size: int, step: Callable[[Any], Any]
    ) -> Any:
        """Train on the oldest samples of the queue."""
        taken, self._queue = self._queue[:size], self._queue[size:]
        collate: Any = runner.train_dataloader.collate_fn
        data = collate([sample for _, sample in taken])
        given = Given(torch.tensor([number for number, _ in taken]))
        compared = self.compared(runner, None) if self._compare else None
        with (
            compared or nullcontext() as captured,
            given.noting(runner.model, captured),
        ):
            outputs = step(data)
        given.check()
        return outputs
