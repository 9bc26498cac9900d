"""Unmixed images, for scoring while the training mixes them."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ies_mm.losses.capture.patching import override
from ies_mm.losses.context import unwrap
from ies_mm.training.data.identity import InstanceMap
from ies_mm.training.data.tagged_datasets import unmixed

AUGMENTS = 'batch_augments'
"""Attribute of mmpretrain's data preprocessors with Mixup, CutMix etc."""


class Unmixed:
    """The images of a training run, loaded by pipelines without mixing.

    It has the positions of the training's dataset, so that its batches are
    made like the training's. If a pipeline returns None, another image is
    fetched, as in training.

    Args:
        instances (InstanceMap): Numbering of the training's dataset, inside
            its ``tagging`` context.
        pipelines (sequence of callable): One per leaf, from loading to
            packing.
    """

    def __init__(
        self, instances: InstanceMap, pipelines: Sequence[Callable]
    ) -> None:
        self._of_position = instances.of_position
        self._leaves = []
        self._places = torch.zeros(len(instances), 2, dtype=torch.long)
        parts = zip(instances.parts(), pipelines, strict=True)
        for part, ((leaf, numbers), pipeline) in enumerate(parts):
            self._leaves.append(unmixed(leaf, pipeline))
            shown = torch.nonzero(numbers >= 0).flatten()
            self._places[numbers[shown], 0] = part
            self._places[numbers[shown], 1] = shown

    def __len__(self) -> int:
        """The number of positions in the training's dataset."""
        return len(self._of_position)

    def __getitem__(self, position: int) -> Any:
        """The image at a position, tagged."""
        number = int(self._of_position[position])
        part, index = self._places[number].tolist()
        return self._leaves[part][index]


def batch_augments(model: nn.Module) -> list[Any]:
    """The augments that mix the images of a batch: Mixup, CutMix etc."""
    augments = getattr(_preprocessor(model), AUGMENTS, None)
    found = getattr(augments, 'augments', None) or ()
    return [augment for augment in found if augment is not None]


@contextmanager
def batches_unmixed(model: nn.Module) -> Iterator[None]:
    """Disable batch augments; labels stay one-hot, as with them.

    Args:
        model (nn.Module): The model, wrapped in DDP or not.
    """

    def as_it_is(_: Callable, inputs: Tensor, scores: Tensor) -> Any:
        return inputs, scores.float()

    if not batch_augments(model):
        yield
        return
    with override(_preprocessor(model), AUGMENTS, as_it_is):
        yield


@contextmanager
def noting_mates(model: nn.Module) -> Iterator[list[Tensor]]:
    """Note which images of a batch its batch augments mix with each other.

    A column for every image is appended to the labels, which are mixed like
    the images.

    Args:
        model (nn.Module): The model, wrapped in DDP or not.

    Yields:
        list of Tensor: bool (B, B), one per mixed batch: whether the mixture
        of each row contains the image of each column.
    """
    noted: list[Tensor] = []

    def augment(original: Callable, inputs: Tensor, scores: Tensor) -> Any:
        classes = scores.shape[1]
        images = torch.eye(len(scores), device=scores.device)
        beside = torch.cat([scores.float(), images], dim=1)
        inputs, mixed = original(inputs, beside)
        noted.append((mixed[:, classes:] > 0).cpu())
        return inputs, mixed[:, :classes]

    if not batch_augments(model):
        yield noted
        return
    with override(_preprocessor(model), AUGMENTS, augment):
        yield noted


def _preprocessor(model: nn.Module) -> Any:
    return getattr(unwrap(model), 'data_preprocessor', None)
