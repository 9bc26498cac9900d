"""Slicing of a loss function's batch arguments by image."""

import copy
from typing import Any

from mmengine.structures import BaseDataElement
from torch import Tensor

from ies_mm.errors import UnsupportedModelError


def entry_of(entries: list | None, image: int) -> list | None:
    """Slice a list with one entry per image to a single image.

    The entry is a shallow copy, as some loss functions write into it.
    """
    if entries is None:
        return None
    entry = entries[image]
    if isinstance(entry, BaseDataElement):
        return [entry.new()]
    return [copy.copy(entry) if isinstance(entry, dict) else entry]


def image_of(
    value: Any, image: int, images: int, layers_first: bool = False
) -> Any:
    """Slice outputs, a tensor or nested lists or dicts, to a single image.

    Args:
        value (Any): (N, ...) tensors.
        image (int): Index of the image.
        images (int): N.
        layers_first (bool): ``value`` is a tensor (layers, N, ...). Defaults
            to False.

    Raises:
        UnsupportedModelError: A tensor's image axis is not of size N.
    """
    # Layers in a list: each of its tensors has the images first.
    if isinstance(value, list | tuple):
        return like(value, [image_of(part, image, images) for part in value])
    # Exactly a dict: a ConfigDict among the arguments has to remain one.
    if type(value) is dict:
        return {k: image_of(v, image, images) for k, v in value.items()}
    if not isinstance(value, Tensor):
        return value
    axis = int(layers_first)
    if value.dim() <= axis or value.shape[axis] != images:
        raise _unknown(value, f'{images} images')
    # Keeps the axis, as a loss function expects a batch, if of one image.
    return value.narrow(axis, image, 1)


def rows_of(value: Any, image: int, lengths: tuple[list[int], ...]) -> Any:
    """Slice a tensor, or a dict or tuple of tensors, to one image's rows.

    Args:
        value (Any): Tensors whose rows are ordered by image.
        image (int): Index of the image.
        lengths (tuple of list): Candidate numbers of rows of each image; the
            first that fits is used.

    Raises:
        UnsupportedModelError: No candidate fits a tensor.
    """
    # Exactly a dict: a ConfigDict among the arguments has to remain one.
    if type(value) is dict:
        return {k: rows_of(v, image, lengths) for k, v in value.items()}
    if isinstance(value, tuple):
        return like(value, [rows_of(part, image, lengths) for part in value])
    if not isinstance(value, Tensor):
        return value
    for counts in lengths:
        if value.dim() and len(value) == sum(counts):
            return value.split(counts)[image]
    raise _unknown(value, f'{" or ".join(str(sum(c)) for c in lengths)} rows')


def like(value: list | tuple, parts: list) -> Any:
    """A list, tuple or named tuple of the same type with other parts."""
    if hasattr(value, '_fields'):
        return type(value)(*parts)
    return type(value)(parts)


def _unknown(value: Tensor, expected: str) -> UnsupportedModelError:
    return UnsupportedModelError(
        f'outputs of shape {tuple(value.shape)}, expected {expected}: there '
        'is no telling which belong to an image, so there are no per-image '
        'losses'
    )
