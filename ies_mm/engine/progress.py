"""What thresholds that set themselves have to know of a training."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import torch
from mmengine.dist import broadcast_object_list
from mmengine.runner import Runner
from torch import Tensor

from ies_mm.core import Criterion, NoiseFloor, Progress
from ies_mm.engine.frozen import FrozenPasses, drawn_instances
from ies_mm.engine.identity import InstanceMap
from ies_mm.losses import Scoring

_MEASURED = ('order', 'window', 'terms', 'average', 'expected')


class TrainingProgress:
    """The first epoch's mean losses and the noise floor, as they are learned.

    Args:
        criterion (Criterion): Whose threshold is served.
        scoring (Scoring): How the training's losses are scored.
    """

    def __init__(self, criterion: Criterion, scoring: Scoring) -> None:
        self._criterion = criterion
        self._scoring = scoring
        self._first_loss: Tensor | None = None
        self._noise_floor: Tensor | None = None
        self._spared = 0

    def take_in(self, losses: Tensor) -> None:
        """Learn from an epoch's losses; only the first counts.

        Args:
            losses (Tensor): float32 (M, T).
        """
        finite = losses[torch.isfinite(losses).all(dim=1)]
        if self._first_loss is None and len(finite):
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
            passes = FrozenPasses(runner, instances, ids, seed, self._scoring)
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
        flat = self._criterion.flatness(losses, names)
        return flat.nanmedian(dim=0).values

    def spare(self, mastered: Tensor) -> None:
        """Count what a dry run would have left out of the next epoch.

        Args:
            mastered (Tensor): bool (N,).
        """
        self._spared += int(mastered.sum())

    def of(
        self, names: Sequence[str], excluded: int, **counts: Any
    ) -> Progress:
        """Where the training stands, for its thresholds.

        Args:
            names (sequence of str): The terms.
            excluded (int): Instance-epochs left out so far; those that a dry
                run would have left out are added.
            **counts: What else :class:`Progress` has.
        """
        first = self._first_loss
        if first is None:
            first = torch.zeros(len(names), dtype=torch.double)
        judged = self._criterion.judged(first, names)
        return Progress(
            judged,
            self._noise_floor,
            excluded=excluded + self._spared,
            **counts,
        )

    def state_dict(self) -> dict[str, Any]:
        """What was learned, None for what is not known yet."""
        return {
            'first_loss': self._first_loss,
            'noise_floor': self._noise_floor,
            'floor_of': self._measured(),
            'spared': self._spared,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what :meth:`state_dict` gave.

        The floor of another criterion is measured anew.
        """
        first, floor = state['first_loss'], state['noise_floor']
        self._first_loss = None if first is None else first.cpu()
        if floor is not None and state['floor_of'] == self._measured():
            self._noise_floor = floor.cpu()
        self._spared = state['spared']

    def _measured(self) -> dict[str, Any]:
        """What the floor is of, beside the weights."""
        asked = asdict(self._criterion) | asdict(self._scoring)
        return {name: asked[name] for name in _MEASURED}
