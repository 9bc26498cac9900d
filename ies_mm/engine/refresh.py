"""Forward-only passes over instances that are not trained."""

import time
import weakref
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import torch
from mmengine.dist import get_rank, get_world_size
from mmengine.runner import Runner
from torch import Tensor
from torch.utils.data import DataLoader, Sampler

from ies_mm.engine.batches import GivenOrder, copied, sizes_of
from ies_mm.engine.identity import InstanceMap, batch_instances
from ies_mm.engine.observations import Observations
from ies_mm.engine.scoring import forward_only, preprocessed, score
from ies_mm.engine.seeding import SeededItems, seed_all, seeded_samplers
from ies_mm.engine.tagging import missed_of
from ies_mm.losses import Scoring
from ies_mm.losses.base import unwrap
from ies_mm.losses.registry import PLAIN_SCORING

SECONDS_BETWEEN_LINES = 5.0
"""A pass that takes longer says how far it is."""


class Refresher:
    """Scores instances as the paper's program does (Algorithm 1, line 3).

    No gradient, noisy layers held, the training pipeline. Random
    numbers are left as they were. Each rank scores its part.

    Where the training's workers persist, so do those of the passes. They start
    anew with the training's, by which a hook has them see a changed data set.

    Args:
        train_loader (DataLoader): Whose data set, batches and workers to use.
        instances (InstanceMap): Numbering of the data set.
        scoring (Scoring): How. Defaults to ``PLAIN_SCORING``.
        seed (int, optional): Has augmentation, anchors and RoIs of an image
            drawn the same way each time. Defaults to None, anew each time.
        batch_size (int, optional): Images of a forward pass. Defaults to
            None, the training's.
    """

    def __init__(
        self,
        train_loader: DataLoader,
        instances: InstanceMap,
        scoring: Scoring = PLAIN_SCORING,
        seed: int | None = None,
        batch_size: int | None = None,
    ) -> None:
        self._scoring = scoring
        self._seed = () if seed is None else (seed,)
        self._instances = instances
        self._first_position = instances.first_positions()
        self._train_loader = train_loader
        self._batches = _Batches(train_loader, batch_size)
        self._loader = _loader_like(train_loader, self._batches)
        self._started_with = _iterator_of(train_loader)

    def score(
        self, runner: Runner, ids: Tensor, names: list[str], epoch: int
    ) -> Observations:
        """Per-image losses of some instances under the present weights.

        Args:
            runner (Runner): Whose model to use.
            ids (Tensor): int64 (M,), instances.
            names (list of str): The run's terms.
            epoch (int): The epoch just trained, from 1.
        """
        observed = Observations(names)
        mine = ids[get_rank() :: get_world_size()]
        self._follow_the_training()
        with forward_only(runner):
            self._pass(runner, mine, observed, self._seed)
            if self._seed:
                # A crop without an object or a valid pixel would be the same
                # one for ever, and its image never judged again.
                shown, _, missing = observed.tensors()
                blank = ~torch.isin(mine, shown[~missing.all(dim=1)])
                anew = (*self._seed, epoch)
                self._pass(runner, mine[blank], observed, anew)
        return observed

    def close(self) -> None:
        """Let the workers go."""
        self._loader._iterator = None

    def _follow_the_training(self) -> None:
        """Start workers anew where the training's have been."""
        iterator = _iterator_of(self._train_loader)
        if iterator() is not self._started_with():
            self.close()
        self._started_with = iterator

    def _pass(
        self,
        runner: Runner,
        ids: Tensor,
        into: Observations,
        seed: tuple[int, ...],
    ) -> None:
        if not len(ids):
            return
        self._batches.positions.given = self._first_position[ids].tolist()
        self._batches.seed = seed
        said = time.perf_counter()
        for number, batch in enumerate(self._loader, start=1):
            shown = batch_instances(batch)
            self._instances.check_shown(batch, shown, torch.isin(shown, ids))
            data = preprocessed(runner, batch)
            shown = batch_instances(data)
            with _draws(runner, shown, seed):
                captured = score(runner, data, self._scoring)
            into.add(shown, captured.losses, captured.missing)
            into.missed |= missed_of(batch['data_samples'])
            if time.perf_counter() - said > SECONDS_BETWEEN_LINES:
                said = time.perf_counter()
                runner.logger.info(
                    f'scoring images that are left out: batch {number} of '
                    f'{len(self._loader)}'
                )


class _Batches(Sampler[list[tuple[int, tuple[int, ...]]]]):
    """Batches of (position, seed), made as the training makes its own.

    Args:
        train_loader (DataLoader): The training's.
        batch_size (int, optional): Another size than its.
    """

    def __init__(
        self, train_loader: DataLoader, batch_size: int | None
    ) -> None:
        original: Any = train_loader.batch_sampler
        self.positions = GivenOrder(train_loader.dataset)
        self.seed: tuple[int, ...] = ()
        self._batches = copied(original, self.positions)
        self._batches.drop_last = False
        if batch_size is not None:
            parts = len(sizes_of(train_loader))
            # A batch sampler of the user's own need not know its size.
            several = isinstance(getattr(original, 'batch_size', 1), list)
            self._batches.batch_size = (
                [batch_size] * parts if several else batch_size
            )

    def __iter__(self) -> Iterator[list[tuple[int, tuple[int, ...]]]]:
        for batch in self._batches:
            yield [(position, self.seed) for position in batch]

    def __len__(self) -> int:
        return len(self._batches)


def _draws(
    runner: Runner, ids: Tensor, seed: tuple[int, ...]
) -> AbstractContextManager[None]:
    if not seed:
        return nullcontext()
    by_image = partial(seed_all, *seed)
    return seeded_samplers(
        unwrap(runner.model), ids.tolist(), lambda _, i: by_image(i)
    )


def _iterator_of(loader: Any) -> Any:
    """A reference that does not keep the iterator, and its workers, alive."""
    iterator = loader._iterator
    return _nothing if iterator is None else weakref.ref(iterator)


def _nothing() -> None:
    return None


def _loader_like(train_loader: DataLoader, batches: _Batches) -> DataLoader:
    """The training's loader over other batches."""
    items: Any = SeededItems(train_loader.dataset)
    return DataLoader(
        items,
        batch_sampler=batches,
        num_workers=train_loader.num_workers,
        collate_fn=train_loader.collate_fn,
        pin_memory=train_loader.pin_memory,
        prefetch_factor=train_loader.prefetch_factor,
        worker_init_fn=train_loader.worker_init_fn,
        multiprocessing_context=train_loader.multiprocessing_context,
        # As the training's: see _follow_the_training.
        persistent_workers=train_loader.persistent_workers,
    )
