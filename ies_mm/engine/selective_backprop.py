"""Selective-Backprop: the method that selects inside of the step."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from mmengine.dist import get_world_size
from mmengine.registry import HOOKS
from mmengine.runner import Runner
from torch import Tensor

from ies_mm.core import LossHistory, RecentLosses, Selection
from ies_mm.core.arguments import check_integer, check_number
from ies_mm.engine.scoring import forward_only, score
from ies_mm.engine.selection_hook import Batch, SelectionHook
from ies_mm.errors import ConfigError


@HOOKS.register_module()
class SelectiveBackpropHook(SelectionHook):
    r"""Selective-Backprop (Jiang et al., 2019): train on the biggest losers.

    Every batch is scored by a forward pass first (evaluation mode, no
    gradient). An image is chosen with the probability :math:`CDF(L)^\beta`,
    the share of the last ``history`` losses that its own is not below. Chosen
    images are gathered until they make a batch, and that is trained; what is
    gathered at the end of an epoch is trained as a smaller one, if it is more
    than a single image. Every image is loaded and scored every epoch, so only
    backward passes are saved, and the chosen images are forwarded twice.

    Args:
        beta (float): The higher, the fewer are chosen: about
            ``1 / (beta + 1)``. Defaults to 1.
        history (int): Losses that a new one is compared with. Defaults to
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
        history: int = 1024,
        keep_history: bool = False,
        allow_batch_augments: bool = False,
    ) -> None:
        super().__init__(1, keep_history, allow_batch_augments)
        check_number('beta', beta, 0)
        check_integer('history', history, 1)
        self.beta = beta
        self.history = history

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
        self._recent = RecentLosses(self.history)
        self._queue: list[tuple[int, dict[str, Any]]] = []
        self._trained: set[int] = set()
        self._scored = 0
        self._scoring_seconds = 0.0

    def train_batch(
        self, runner: Runner, batch: Batch, step: Callable[[Any], Any]
    ) -> Any:
        """Score the batch; train as soon as enough has been chosen."""
        chosen = self._choose(runner, batch)
        for number in torch.nonzero(chosen).flatten().tolist():
            sample = {key: part[number] for key, part in batch.data.items()}
            self._queue.append((int(batch.ids[number]), sample))
        size = runner.train_dataloader.batch_sampler.batch_size
        outputs: Any = {}
        while len(self._queue) >= size:
            outputs = self._train(runner, size, step)
        if self._ends_an_epoch(runner, batch):
            # BatchNorm cannot be trained on one image alone.
            if len(self._queue) > 1:
                outputs = self._train(runner, size, step)
            self._queue.clear()
        return outputs

    def account(self, seen: Tensor) -> tuple[Tensor, Tensor]:
        """What was chosen was trained, what was only scored was left out."""
        shown, _ = super().account(seen)
        trained = torch.zeros_like(shown)
        trained[list(self._trained)] = True
        self._trained.clear()
        return trained, shown & ~trained

    def with_scored(
        self, runner: Runner, ids: Tensor, losses: Tensor, left_out: Tensor
    ) -> tuple[Tensor, Tensor, int]:
        """The scores are in already; their time and number are counted."""
        self.clock.credit(self._scoring_seconds)
        scored, self._scored, self._scoring_seconds = self._scored, 0, 0.0
        return ids, losses, scored

    def expected_excluded(self) -> int:
        """As many as in the epoch before; who knows."""
        return int(self.state.left_out.sum())

    def decide(
        self, history: LossHistory, names: Sequence[str], epoch: int
    ) -> tuple[Tensor, Selection]:
        """Between epochs nothing is decided."""
        nothing = torch.zeros(history.instances, dtype=torch.bool)
        return nothing, Selection.everything(history.instances)

    def method_state(self) -> dict[str, Tensor]:
        """The recent losses."""
        return {'recent': self._recent.values}

    def load_method_state(self, state: dict[str, Tensor]) -> None:
        """Go on with the recent losses of a checkpoint."""
        self._recent.values = state['recent'].cpu()

    def _choose(self, runner: Runner, batch: Batch) -> Tensor:
        """Score the batch and draw; bool (B,)."""
        self.clock.pause()
        with forward_only(runner):
            captured = score(runner, batch.data)
        self.observe(batch, captured)
        losses = captured.totals().cpu()
        self._scored += len(losses)
        self._scoring_seconds += self.clock.go_on()
        self._recent.add(losses)
        chances = self._recent.probabilities(losses, self.beta)
        drawn = torch.rand(len(losses), generator=self.generator(runner.iter))
        return drawn < chances

    def _train(
        self, runner: Runner, size: int, step: Callable[[Any], Any]
    ) -> Any:
        """Train on the oldest samples of the queue."""
        taken, self._queue = self._queue[:size], self._queue[size:]
        self._trained.update(number for number, _ in taken)
        collate: Any = runner.train_dataloader.collate_fn
        return step(collate([sample for _, sample in taken]))

    def _ends_an_epoch(self, runner: Runner, batch: Batch) -> bool:
        last = batch.index + 1 == len(runner.train_dataloader)
        return self.pace.loop_ends_epochs and last
