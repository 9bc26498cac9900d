"""What thresholds that set themselves have to know of a training."""

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.dist import broadcast_object_list
from mmengine.runner import Runner
from torch import Tensor

from ies_mm.core import Criterion, NoiseFloor, Progress
from ies_mm.engine.frozen import FrozenPasses, drawn_instances
from ies_mm.engine.identity import InstanceMap


class TrainingProgress:
    """The first epoch's mean losses and the noise floor, as they are learned.

    Args:
        criterion (Criterion): Whose threshold is served.
        expected (bool): How the training's losses are scored.
    """

    def __init__(self, criterion: Criterion, expected: bool) -> None:
        self._criterion = criterion
        self._expected = expected
        self._first_loss: Tensor | None = None
        self._noise_floor: Tensor | None = None

    def take_in(self, losses: Tensor) -> None:
        """Learn from an epoch's losses; only the first counts.

        Args:
            losses (Tensor): float32 (M, T).
        """
        if self._first_loss is None and len(losses):
            finite = losses[torch.isfinite(losses).all(dim=1)]
            self._first_loss = finite.double().mean(dim=0)

    def measure(
        self,
        runner: Runner,
        instances: InstanceMap,
        names: Sequence[str],
        epoch: int,
        seed: int,
    ) -> None:
        """Measure the noise floor, where the threshold wants it now.

        Args:
            runner (Runner): Whose model to score with.
            instances (InstanceMap): Numbering of its data set.
            names (sequence of str): The terms.
            epoch (int): The epoch just trained, from 1.
            seed (int): Of the instances drawn and of all that is random.
        """
        threshold = self._criterion.threshold
        if isinstance(threshold, NoiseFloor) and self._due(threshold, epoch):
            ids = drawn_instances(
                runner, instances, threshold.images, seed + epoch
            )
            passes = FrozenPasses(runner, instances, ids, seed, self._expected)
            floor = [self._floor(passes, list(names))]
            # All ranks must decide alike, whatever their device rounds to.
            broadcast_object_list(floor)
            self._noise_floor = floor[0]

    def _due(self, threshold: NoiseFloor, epoch: int) -> bool:
        since = epoch - self._criterion.needed
        if self._noise_floor is None:
            return since >= 0
        return since % threshold.interval == 0

    def _floor(self, passes: FrozenPasses, names: list[str]) -> Tensor:
        """Median flatness over the instances, float64 (C,)."""
        depth = self._criterion.depth
        losses = passes.losses(depth, names, passes.sources())
        return self._criterion.flatness(losses, names).median(dim=0).values

    def of(self, names: Sequence[str], **counts: Any) -> Progress:
        """Where the training stands, for its thresholds.

        Args:
            names (sequence of str): The terms.
            **counts: What else :class:`Progress` has.
        """
        first = self._first_loss
        if first is None:
            first = torch.zeros(len(names), dtype=torch.double)
        judged = self._criterion.judged(first, names)
        return Progress(judged, self._noise_floor, **counts)

    def state_dict(self) -> dict[str, Tensor | None]:
        """Tensors, or None for what is not known yet."""
        return {
            'first_loss': self._first_loss,
            'noise_floor': self._noise_floor,
        }

    def load_state_dict(self, state: dict[str, Tensor | None]) -> None:
        """Take over what :meth:`state_dict` gave."""
        self._first_loss, self._noise_floor = (
            None if tensor is None else tensor.cpu()
            for tensor in (state['first_loss'], state['noise_floor'])
        )
