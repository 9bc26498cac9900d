"""Rows selected by an index."""

from typing import Any, SupportsIndex

import torch
from torch import Tensor

from ies_mm.losses.tracing.origin import Origin
from ies_mm.losses.tracing.trace import Along, Given, Owned, Trace

_MASKS = (torch.bool, torch.uint8)


def getitem(given: Given, result: Tensor) -> Trace | None:
    """``tensor[index]``: integers, slices, None, rows and masks."""
    if not given.alone:
        return None
    parts = _parts(given.args[1], given.dims)
    several = sum(isinstance(part, Tensor | list) for part in parts) > 1
    place = now = 0
    for part in parts:
        width = _width(part)
        if place <= given.along.axis < place + width:
            return _picked(given, part, place, now, result)
        # Several index tensors share one resulting axis; its place varies.
        if several and isinstance(part, Tensor | list):
            return None
        now += _axes_left(part)
        place += width
    return None


def masked_select(given: Given, result: Tensor) -> Along | None:
    """``masked_select(mask)`` with a mask that does not broadcast."""
    mask: Tensor = given.option(1, 'mask')
    if not given.alone or mask.shape != given.shape:
        return None
    axis = given.along.axis
    each = given.along.origin.merged(given.seen[0].count(axis + 1))
    all_of_them = each.repeated(given.seen[0].count(0, axis))
    return Along(all_of_them.taken(mask.flatten(), len(result)), 0)


def _parts(index: Any, dims: int) -> list:
    """An index's parts, extended to cover all axes."""
    parts = list(index) if isinstance(index, tuple) else [index]
    whole = [slice(None)] * (dims - sum(_width(part) for part in parts))
    for place, part in enumerate(parts):
        if part is Ellipsis:
            return parts[:place] + whole + parts[place + 1 :]
    return parts + whole


def _width(part: Any) -> int:
    """Number of input axes that a part indexes."""
    if part is None or part is Ellipsis:
        return 0
    if isinstance(part, Tensor) and part.dtype in _MASKS:
        return part.dim()
    return 1


def _axes_left(part: Any) -> int:
    """Number of output axes that a part leaves."""
    if isinstance(part, Tensor):
        return 1 if part.dtype in _MASKS else part.dim()
    return 0 if _is_integer(part) else 1


def _is_integer(part: Any) -> bool:
    return isinstance(part, SupportsIndex) and not isinstance(part, Tensor)


def _picked(
    given: Given, part: Any, place: int, now: int, result: Tensor
) -> Trace | None:
    """The trace of the rows that the index part for their axis selects."""
    origin: Origin = given.along.origin
    # SOLOv2 keeps an image's axis by ``mask_feats[[image]]``.
    if isinstance(part, list) and len(part) == 1:
        part = part[0]
    if _is_integer(part):
        image = origin.image_of(int(part))
        return None if image is None else Owned(image, origin.images)
    if isinstance(part, slice):
        return Along(origin, now) if part == slice(None) else None
    width = _width(part)
    first = place == given.along.axis
    if not isinstance(part, Tensor) or part.dim() != width or not first:
        return None
    rows = result.shape[now]
    if width == 1:
        return Along(origin.taken(part, rows), now)
    inner = given.seen[0].count(place + 1, place + width)
    return Along(origin.merged(inner).taken(part.flatten(), rows), now)
