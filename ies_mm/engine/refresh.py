"""Forward-only passes over instances that are not trained."""

import copy
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import torch
from mmengine.dist import get_rank, get_world_size
from mmengine.runner import Runner
from torch import Tensor
from torch.utils.data import DataLoader, Sampler

from ies_mm.engine.identity import InstanceMap, batch_instances
from ies_mm.engine.observations import Observations
from ies_mm.engine.scoring import (
    forward_only,
    preserved_random_state,
    score,
)
from ies_mm.engine.seeding import SeededItems, seed_all, seeded_samplers
from ies_mm.losses.base import unwrap


class Refresher:
    """Scores instances as the paper's program does (Algorithm 1, line 3).

    Evaluation mode, no gradient, the training pipeline. The training's random
    numbers are left as they were. Each rank scores its part.

    Args:
        train_loader (DataLoader): Whose data set, batches and workers to use.
        instances (InstanceMap): Numbering of the data set.
        expected (bool): As in :func:`capture_per_image_losses`. Defaults to
            False.
        seed (int, optional): Has augmentation, anchors and RoIs of an image
            drawn the same way each time. Defaults to None, anew each time.
    """

    def __init__(
        self,
        train_loader: DataLoader,
        instances: InstanceMap,
        expected: bool = False,
        seed: int | None = None,
    ) -> None:
        self._expected = expected
        self._sampler = _Positions(train_loader.dataset)
        self._first_position = instances.first_positions()
        self._items = SeededItems(train_loader.dataset, seed)
        self._loader = _loader_like(train_loader, self._sampler, self._items)

    def score(
        self, runner: Runner, ids: Tensor, names: list[str]
    ) -> Observations:
        """Per-image losses of some instances under the present weights.

        Args:
            runner (Runner): Whose model to use.
            ids (Tensor): int64 (M,), instances.
            names (list of str): The run's terms.
        """
        observed = Observations(names)
        mine = ids[get_rank() :: get_world_size()]
        with forward_only(runner):
            with preserved_random_state():
                self._pass(runner, mine, observed)
            if self._items.seed is not None:
                self._without_seed(runner, mine, observed)
        return observed

    def _pass(self, runner: Runner, ids: Tensor, into: Observations) -> None:
        self._sampler.positions = self._first_position[ids].tolist()
        if not self._sampler.positions:
            return
        for batch in self._loader:
            shown = batch_instances(batch)
            with self._draws(runner, shown):
                captured = score(runner, batch, self._expected)
            into.add(shown, captured.losses, captured.missing)

    def _without_seed(
        self, runner: Runner, ids: Tensor, observed: Observations
    ) -> None:
        """Draw anew for images whose own draw shows nothing to score.

        A crop without an object or a valid pixel would be the same one for
        ever, and the image would never be judged again.
        """
        shown, _, missing = observed.tensors()
        seen = shown[~missing.all(dim=1)]
        seed, self._items.seed = self._items.seed, None
        try:
            self._pass(runner, ids[~torch.isin(ids, seen)], observed)
        finally:
            self._items.seed = seed

    def _draws(
        self, runner: Runner, ids: Tensor
    ) -> AbstractContextManager[None]:
        if self._items.seed is None:
            return nullcontext()
        by_image = partial(seed_all, self._items.seed)
        return seeded_samplers(
            unwrap(runner.model), ids.tolist(), lambda _, i: by_image(i)
        )


class _Positions(Sampler[int]):
    """Yields the positions it was last given."""

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset
        self.positions: list[int] = []

    def __iter__(self) -> Iterator[int]:
        return iter(self.positions)

    def __len__(self) -> int:
        return len(self.positions)


def _loader_like(
    train_loader: DataLoader, sampler: _Positions, dataset: Any
) -> DataLoader:
    """The training's loader over other positions, batched the same way."""
    original: Any = train_loader.batch_sampler
    # Copies all but the sampler and the data set that it holds.
    batch_sampler = copy.deepcopy(original, {id(original.sampler): sampler})
    batch_sampler.drop_last = False
    return DataLoader(
        dataset,
        batch_sampler=batch_sampler,
        num_workers=train_loader.num_workers,
        collate_fn=train_loader.collate_fn,
        pin_memory=train_loader.pin_memory,
        worker_init_fn=train_loader.worker_init_fn,
        multiprocessing_context=train_loader.multiprocessing_context,
        # Fresh workers see the data set as it is now, should a hook have
        # switched its pipeline, and take no memory while training goes on.
        persistent_workers=False,
    )
