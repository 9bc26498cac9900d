"""One image's part of what a batch's loss function is given."""

import copy
from typing import Any

from mmengine.structures import BaseDataElement
from torch import Tensor

from ies_mm.errors import UnsupportedModelError


def entry_of(entries: list | None, image: int) -> list | None:
    """A list with one entry an image, for one image.

    The entry is a copy, as some loss functions write into it; its values are
    not copied.
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
    """One image's outputs, of a tensor or of nested lists.

    Args:
        value (Any): (N, ...) tensors.
        image (int): Which.
        images (int): N.
        layers_first (bool): ``value`` is a tensor (layers, N, ...). Defaults
            to False.

    Raises:
        UnsupportedModelError: A tensor does not have the images where it
            should.
    """
    if isinstance(value, list | tuple):
        return type(value)(image_of(part, image, images) for part in value)
    if not isinstance(value, Tensor):
        return value
    axis = int(layers_first)
    if value.dim() <= axis or value.shape[axis] != images:
        raise _unknown(value, f'{images} images')
    return value.narrow(axis, image, 1)


def rows_of(value: Any, image: int, lengths: tuple[list[int], ...]) -> Any:
    """One image's rows, of a tensor, or of a dict or tuple of tensors.

    Args:
        value (Any): Rows stand image after image.
        image (int): Which.
        lengths (tuple of list): How many rows every image may have; the first
            that fit count.

    Raises:
        UnsupportedModelError: None of them fits a tensor.
    """
    if type(value) is dict:
        return {k: rows_of(v, image, lengths) for k, v in value.items()}
    if isinstance(value, tuple):
        return tuple(rows_of(part, image, lengths) for part in value)
    if not isinstance(value, Tensor):
        return value
    for counts in lengths:
        if value.dim() and len(value) == sum(counts):
            return value.split(counts)[image]
    raise _unknown(value, f'{" or ".join(str(sum(c)) for c in lengths)} rows')


def _unknown(value: Tensor, expected: str) -> UnsupportedModelError:
    return UnsupportedModelError(
        f'outputs of shape {tuple(value.shape)}, expected {expected}: there '
        'is no telling which belong to an image, so there are no per-image '
        'losses'
    )
