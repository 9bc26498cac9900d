"""Repeated forward passes with frozen weights.

What differs between two of them is noise: augmentation, sampled anchors and
RoIs, dropout and, with BatchNorm, the other images of the batch. Every source
has its own seed, so that each can be held fixed.
"""

from collections.abc import Collection
from typing import Any

import numpy as np
import torch
from mmengine.runner import Runner
from numpy.typing import NDArray
from torch import Tensor

from ies_mm.errors import ConfigError
from ies_mm.losses import CapturedLosses
from ies_mm.losses.context import unwrap
from ies_mm.training.data.identity import InstanceMap
from ies_mm.training.data.mixing_transforms import mixes, transforms_of
from ies_mm.training.data.shown_images import batch_instances
from ies_mm.training.data.tagging import tag
from ies_mm.training.loop.batches import largest_size
from ies_mm.training.scoring.received_images import in_order
from ies_mm.training.scoring.scoring import forward_only, preprocessed, score
from ies_mm.training.scoring.seeding import (
    samplers_of,
    seed_all,
    seeded_samplers,
)
from ies_mm.training.scoring.unmixed import batch_augments

AUGMENTATION = 'augmentation'
BATCHES = 'batches'
DROPOUT = 'dropout'


def drawn_instances(
    runner: Runner, instances: InstanceMap, images: int, seed: int
) -> Tensor:
    """Draw instances for the passes, int64 (M,).

    At least four batches of them, so that an image's batch can vary, and at
    most all.

    Args:
        runner (Runner): Has a training loader.
        instances (InstanceMap): Numbering of its dataset.
        images (int): The number to draw, or more.
        seed (int): Seed of the draw.
    """
    loader: Any = runner.train_dataloader
    count = max(images, 4 * largest_size(loader))
    # Not sorted, since datasets are often sorted by class.
    order = np.random.default_rng(seed).permutation(len(instances))
    return torch.from_numpy(order[:count])


class FrozenPasses:
    """Scores the same instances repeatedly, as training sees them.

    The model is in training mode, since dropout and BatchNorm's batches are
    noise of the training too; statistics and random state are restored.

    Args:
        runner (Runner): Has a model, optimiser wrapper and training loader.
        instances (InstanceMap): Numbering of the loader's dataset.
        ids (Tensor): int64 (M,), the instances to score.
        seed (int): Seed of everything random. Defaults to 0.
        fallback (bool): See :func:`capture_per_image_losses`. Defaults to
            False.

    Raises:
        ConfigError: The training mixes images.
    """

    def __init__(
        self,
        runner: Runner,
        instances: InstanceMap,
        ids: Tensor,
        seed: int = 0,
        fallback: bool = False,
    ) -> None:
        loader: Any = runner.train_dataloader
        _check_unmixed(runner)
        self._runner = runner
        self._dataset = loader.dataset
        self._collate = loader.collate_fn
        self._size = largest_size(loader)
        self._positions = instances.first_positions()[ids].tolist()
        self._seed = seed
        self._fallback = fallback

    def sources(self) -> list[str]:
        """The sources of noise that may vary between passes."""
        samplers = samplers_of(unwrap(self._runner.model))
        return [AUGMENTATION, BATCHES, DROPOUT, *samplers]

    def losses(
        self, passes: int, names: list[str], vary: Collection[str]
    ) -> Tensor:
        """The losses of every pass.

        Args:
            passes (int): Number of passes P.
            names (list of str): Names of the T terms.
            vary (collection of str): The :meth:`sources` that vary between
                passes; the others stay fixed.

        Returns:
            Tensor: float32 (P, M, T). A term that an image does not have is
            zero; non-finite losses are kept.
        """
        with forward_only(self._runner, hold=False):
            rows = [
                self._pass(number, names, frozenset(vary))
                for number in range(passes)
            ]
        return torch.stack(rows)

    def _pass(self, number: int, names: list[str], vary: frozenset) -> Tensor:
        order = np.arange(len(self._positions))
        if BATCHES in vary:
            # A generator of its own: no other draw can shift the order.
            np.random.default_rng([self._seed, number]).shuffle(order)
        found = torch.zeros(len(order), len(names))
        for part in _batches(order, self._size):
            found[torch.from_numpy(part)] = self._batch(
                part.tolist(), number, names, vary
            )
        return found

    def _batch(
        self, images: list[int], number: int, names: list[str], vary: frozenset
    ) -> Tensor:
        sources = self.sources()

        def seed(source: str, image: int) -> None:
            moved = number + 1 if source in vary else 0
            seed_all(self._seed, sources.index(source), image, moved)

        items = []
        for image in images:
            seed(AUGMENTATION, image)
            # Numbered by place, to put the losses back in order afterwards.
            items.append(tag(self._dataset[self._positions[image]], image))
        # Dropout draws for the whole batch, so its first image stands for it.
        seed(DROPOUT, images[0])
        data = preprocessed(self._runner, self._collate(items))
        order = batch_instances(data)
        model = unwrap(self._runner.model)
        with seeded_samplers(model, order.tolist(), seed):
            captured = score(self._runner, data, self._fallback)
        in_order(captured, order, torch.tensor(images))
        return torch.stack(
            [_column(captured, name, len(images)) for name in names], dim=1
        )


def _check_unmixed(runner: Runner) -> None:
    transforms = transforms_of(runner.train_dataloader.dataset)
    mixing = [part for _, part in transforms if mixes(part)]
    mixing += batch_augments(runner.model)
    if mixing:
        raise ConfigError(
            f'the training mixes images ({type(mixing[0]).__name__}), and '
            'the noise of mixtures is not that of the images that were '
            'judged; give --images 0 to skip it'
        )


def _batches(order: NDArray[np.int64], size: int) -> list[NDArray[np.int64]]:
    """Parts of ``size``; the last takes in a lone image, for BatchNorm."""
    starts = list(range(size, len(order), size))
    if len(order) % size == 1 and size > 1:
        starts = starts[:-1]
    return np.split(order, starts)


def _column(captured: CapturedLosses, name: str, images: int) -> Tensor:
    if name not in captured.losses:
        return torch.zeros(images)
    losses = captured.losses[name].cpu()
    if name in captured.missing:
        losses = losses.masked_fill(captured.missing[name].cpu(), 0)
    return losses
