"""Forward-only passes over untrained instances."""

import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from mmengine.dist import get_rank, get_world_size
from mmengine.runner import Runner
from torch import Tensor
from torch.utils.data import DataLoader

from ies_mm.errors import ConfigError
from ies_mm.training import mmengine_internals as internals
from ies_mm.training.data.identity import InstanceMap
from ies_mm.training.data.shown_images import batch_instances, check_shown
from ies_mm.training.data.tagged_datasets import NOT_SHOWN
from ies_mm.training.data.tagging import missed_of
from ies_mm.training.loop.batches import GivenOrder
from ies_mm.training.scoring.due_batches import DueBatches
from ies_mm.training.scoring.scoring import forward_only, preprocessed, score
from ies_mm.training.scoring.seeding import seed_all
from ies_mm.training.scoring.statistics import take_from_first
from ies_mm.training.state.observations import Observations

SECONDS_BETWEEN_LINES = 5.0
"""Seconds between the progress lines of a pass."""


class WorkerSeeds:
    """Seeds the workers of a scoring pass differently in every pass.

    MMEngine seeds workers by their number. Those of the training see the
    images in another order in each epoch; those of a pass see them in the same
    one, so each image would be augmented alike in every pass, and look flatter
    than it does in training.

    Args:
        original (callable, optional): The training's ``worker_init_fn``.

    Attributes:
        step (int): Training steps before the pass, so that a resumed training
            draws the same.
    """

    def __init__(self, original: Callable[[int], None] | None) -> None:
        self._original = original
        self.step = 0

    def __call__(self, worker: int) -> None:
        """Seed a worker, in its process."""
        if self._original is not None:
            self._original(worker)
        seed_all(torch.initial_seed(), self.step)


class Refresher:
    """Scores instances as the authors' code does (Algorithm 1, line 3).

    It computes no gradients, holds noisy layers in evaluation mode, uses the
    training pipeline and restores the random state. Each rank scores its
    part.

    If the training's workers persist, so do those of the passes. They restart
    with the training's, so that they see a dataset that a hook has changed.

    Args:
        train_loader (DataLoader): Provides dataset, batches and workers.
        instances (InstanceMap): Numbering of the dataset.
        fallback (bool): See :func:`capture_per_image_losses`.
        batch_size (int, optional): Images per forward pass; None for the
            training's batch size.
        images (Dataset, optional): The images in another form, at the same
            positions; None for the training's dataset.
    """

    def __init__(
        self,
        train_loader: DataLoader,
        instances: InstanceMap,
        fallback: bool,
        batch_size: int | None,
        images: Any,
    ) -> None:
        self._fallback = fallback
        self._instances = instances
        self._first_position = instances.first_positions()
        self._train_loader = train_loader
        self._positions = GivenOrder(train_loader.dataset)
        batches = DueBatches(train_loader, self._positions, batch_size)
        images = train_loader.dataset if images is None else images
        self._seeds = WorkerSeeds(train_loader.worker_init_fn)
        self._loader = _loader_like(train_loader, batches, images, self._seeds)
        self._started_with = _iterator_of(train_loader)

    def score(
        self, runner: Runner, ids: Tensor, names: list[str]
    ) -> Observations:
        """Per-image losses of some instances under the current weights.

        Call it on all processes.

        Args:
            runner (Runner): The runner with the model.
            ids (Tensor): int64 (M,), instances.
            names (list of str): Names of the run's terms.
        """
        observed = Observations(names)
        mine = ids[get_rank() :: get_world_size()]
        self._follow_the_training()
        self._seeds.step = runner.iter
        with forward_only(runner):
            take_from_first(runner.model)
            self._pass(runner, mine, observed)
        return observed

    def try_out(self, runner: Runner) -> None:
        """Score two images of every dataset here, so that faults show early.

        Args:
            runner (Runner): The runner with the model.

        Raises:
            ConfigError: The images cannot be made into a batch.
        """
        with forward_only(runner):
            # Each dataset has a pipeline of its own.
            for _, numbers in self._instances.parts():
                shown = numbers[numbers != NOT_SHOWN]
                positions = self._first_position[shown[:2]].tolist()
                if positions:
                    self._try(runner, positions)

    def _try(self, runner: Runner, positions: list[int]) -> None:
        collate: Any = self._loader.collate_fn
        try:
            images = [self._loader.dataset[p] for p in positions]
            data = preprocessed(runner, collate(images))
        except ConfigError:
            raise
        except Exception as error:
            raise ConfigError(
                'the pipeline by which images are scored fails '
                f'({type(error).__name__}: {error}); give another one as '
                "the hook's scoring=dict(pipeline=[...])"
            ) from error
        score(runner, data, self._fallback)

    def close(self) -> None:
        """Release the workers."""
        internals.drop_iterator(self._loader)

    def _follow_the_training(self) -> None:
        """Restart the workers if the training's were restarted."""
        iterator = _iterator_of(self._train_loader)
        if iterator() is not self._started_with():
            self.close()
        self._started_with = iterator

    def _pass(self, runner: Runner, ids: Tensor, into: Observations) -> None:
        if not len(ids):
            return
        self._positions.given = self._first_position[ids].tolist()
        said = time.perf_counter()
        for number, batch in enumerate(self._loader, start=1):
            shown = batch_instances(batch)
            check_shown(self._instances, batch, shown, torch.isin(shown, ids))
            data = preprocessed(runner, batch)
            # Read again, as the preprocessor may reorder the batch.
            shown = batch_instances(data)
            with self._located(runner, shown):
                captured = score(runner, data, self._fallback)
            into.add(shown, captured.losses, captured.missing)
            into.missed |= missed_of(batch['data_samples'])
            if time.perf_counter() - said > SECONDS_BETWEEN_LINES:
                said = time.perf_counter()
                runner.logger.info(
                    f'scoring images by forward passes: batch {number} of '
                    f'{len(self._loader)}'
                )

    @contextmanager
    def _located(self, runner: Runner, batch: Tensor) -> Iterator[None]:
        """Log for an error in which scoring batch it was raised.

        Pruned images make batches that the training may never see: PointRend
        fails if no image of a batch has an object.
        """
        try:
            yield
        except Exception as error:
            runner.logger.error(
                f'{len(batch)} images could not be scored by a forward pass, '
                f'from {self._instances.names()[batch[0]]} on{_advice(error)}'
            )
            raise


def _advice(error: Exception) -> str:
    if isinstance(error, torch.cuda.OutOfMemoryError):
        return '; set a smaller scoring=dict(batch_size=...) in the hook'
    return ''


def _iterator_of(loader: Any) -> Any:
    """A weak reference: does not keep the iterator and its workers alive."""
    iterator = internals.iterator_of(loader)
    return weakref.ref(iterator) if iterator is not None else lambda: None


def _loader_like(
    train_loader: DataLoader, batches: Any, images: Any, seeds: WorkerSeeds
) -> DataLoader:
    """The training's loader over other batches."""
    # No generator: forward_only restores torch's, from which a loader draws
    # the seed of its workers.
    return DataLoader(
        images,
        batch_sampler=batches,
        num_workers=train_loader.num_workers,
        collate_fn=train_loader.collate_fn,
        pin_memory=train_loader.pin_memory,
        prefetch_factor=train_loader.prefetch_factor,
        worker_init_fn=seeds,
        multiprocessing_context=train_loader.multiprocessing_context,
        # As the training's: see _follow_the_training.
        persistent_workers=train_loader.persistent_workers,
    )
