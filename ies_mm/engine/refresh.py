"""Forward-only passes over instances that are not trained."""

import copy
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

from mmengine.dist import get_rank, get_world_size
from mmengine.runner import Runner
from torch import Tensor
from torch.utils.data import DataLoader, Sampler

from ies_mm.engine.identity import InstanceMap, batch_instances
from ies_mm.engine.observations import Observations
from ies_mm.engine.scoring import forward_only, score
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
        self._seed = seed
        self._sampler = _Positions(train_loader.dataset)
        self._first_position = instances.first_positions()
        self._loader = _loader_like(train_loader, self._sampler, seed)

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
        self._sampler.positions = self._first_position[mine].tolist()
        if self._sampler.positions:
            with forward_only(runner):
                for batch in self._loader:
                    ids = batch_instances(batch)
                    with self._draws(runner, ids):
                        captured = score(runner, batch, self._expected)
                    observed.add(
                        ids,
                        captured.losses,
                        captured.missing,
                    )
        return observed

    def _draws(
        self, runner: Runner, ids: Tensor
    ) -> AbstractContextManager[None]:
        if self._seed is None:
            return nullcontext()
        by_image = partial(seed_all, self._seed)
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
    train_loader: DataLoader, sampler: _Positions, seed: int | None
) -> DataLoader:
    """The training's loader over other positions, batched the same way."""
    original: Any = train_loader.batch_sampler
    # Copies all but the sampler and the data set that it holds.
    batch_sampler = copy.deepcopy(original, {id(original.sampler): sampler})
    batch_sampler.drop_last = False
    dataset: Any = train_loader.dataset
    if seed is not None:
        dataset = SeededItems(dataset, seed)
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
