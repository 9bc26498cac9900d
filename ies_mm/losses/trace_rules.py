"""How operations of torch move the rows of a traced tensor.

A rule gets what an operation was given and gave, and says where the rows are
now; None, if that cannot be told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import torch
from torch import Tensor

from ies_mm.losses.origin import Origin, concatenated, of_runs


@dataclass(frozen=True)
class Trace:
    """What is known of a tensor.

    Attributes:
        origin (Origin): Of its rows.
        axis (int, optional): Where the rows are. None: all of the tensor
            belongs to ``image``.
        image (int): See ``axis``. Defaults to 0.
    """

    origin: Origin
    axis: int | None
    image: int = 0

    def own(self, image: int | None) -> Trace | None:
        """Of what belongs to one image alone."""
        if image is None:
            return None
        return Trace(Origin(self.origin.images, blocks=(1,)), None, image)


@dataclass(frozen=True)
class Seen:
    """A traced argument as it was before the operation."""

    trace: Trace
    shape: torch.Size


class Arguments:
    """The traced arguments of an operation.

    Args:
        args (tuple): Of the operation.
        kwargs (dict): Of the operation.
    """

    def __init__(self, args: tuple, kwargs: dict[str, Any]) -> None:
        self.args = args
        self.kwargs = kwargs
        self.seen = list(_seen([*args, *kwargs.values()]))

    def option(self, place: int, name: str, default: Any = None) -> Any:
        """An argument by place or name."""
        if len(self.args) > place:
            return self.args[place]
        return self.kwargs.get(name, default)

    def follow(self, func: Any, result: Any) -> Iterator[tuple[Tensor, Trace]]:
        """The traces of what came out."""
        if not self.seen:
            return
        owners = {s.trace.image for s in self.seen if s.trace.axis is None}
        name = _name(func)
        if len(owners) == 1 and all(s.trace.axis is None for s in self.seen):
            # Of one image nothing but that image's can come.
            trace = self.seen[0].trace
            yield from ((t, trace) for t in _tensors(result))
            return
        several = _SEVERAL.get(name)
        if several is not None:
            yield from several(self, result)
            return
        rule = _RULES.get(name, _elementwise if name in _ELEMENTWISE else None)
        if rule is None or len(owners):
            return
        for tensor in _tensors(result):
            trace = rule(self, tensor)
            if trace is not None:
                yield tensor, trace


def _seen(values: list[Any]) -> Iterator[Seen]:
    for value in values:
        if isinstance(value, Tensor):
            trace = getattr(value, 'whose', None)
            if trace is not None:
                yield Seen(trace, value.shape)
        elif isinstance(value, list | tuple):
            yield from _seen(list(value))


def _tensors(result: Any) -> list[Tensor]:
    if isinstance(result, Tensor):
        return [result]
    return [value for value in result if isinstance(value, Tensor)]


def _name(func: Any) -> str:
    return str(getattr(func, '__name__', '')).strip('_')


def _axis(dim: int, dims: int) -> int:
    return dim % dims if dims else 0


def _at(trace: Trace, axis: int) -> Trace:
    return replace(trace, axis=axis)


def _elementwise(given: Arguments, result: Tensor) -> Trace | None:
    """Broadcasting: axes count from the right."""
    found: Trace | None = None
    for seen in given.seen:
        assert seen.trace.axis is not None
        axis = seen.trace.axis + result.dim() - len(seen.shape)
        same = found is None or found == _at(seen.trace, axis)
        if axis < 0 or not same:
            return None
        found = _at(seen.trace, axis)
    if found is None or result.shape[found.axis] != found.origin.rows:
        return None
    return found


def _permute(given: Arguments, result: Tensor) -> Trace | None:
    seen = given.seen[0]
    dims = given.args[1:] or given.kwargs['dims']
    order = dims[0] if isinstance(dims[0], list | tuple) else dims
    order = [_axis(dim, len(seen.shape)) for dim in order]
    return _at(seen.trace, order.index(seen.trace.axis))


def _transpose(given: Arguments, result: Tensor) -> Trace | None:
    seen = given.seen[0]
    dims = len(seen.shape)
    one = _axis(given.option(1, 'dim0'), dims)
    other = _axis(given.option(2, 'dim1'), dims)
    swapped = {one: other, other: one}
    axis = seen.trace.axis
    return _at(seen.trace, swapped.get(axis, axis))


def _reshape(given: Arguments, result: Tensor) -> Trace | None:
    """The rows' axis as it is, merged with its neighbours, or split."""
    seen = given.seen[0]
    axis, origin = seen.trace.axis, seen.trace.origin
    outer, rows = prod(seen.shape[:axis]), origin.rows
    inner = prod(seen.shape[axis + 1 :])
    before = 1
    for place, size in enumerate(result.shape):
        if before == outer and size == rows:
            return _at(seen.trace, place)
        if before == outer and rows and size and size % rows == 0:
            if inner % (size // rows) == 0:
                return Trace(origin.merged(size // rows), place)
        if before == outer and size and rows % size == 0 and rows > size:
            rest = prod(result.shape[place + 1 :])
            joined = origin.joined(rows // size)
            if rest == inner * (rows // size) and joined is not None:
                return Trace(joined, place)
        if outer % before == 0 and size == (outer // before) * rows:
            return Trace(origin.repeated(outer // before), place)
        if before == 1 and rows and outer > 1 and size == outer * rows * inner:
            return Trace(origin.merged(inner).repeated(outer), place)
        before *= size
    return None


def _unsqueeze(given: Arguments, result: Tensor) -> Trace | None:
    seen = given.seen[0]
    dim = _axis(given.option(1, 'dim'), result.dim())
    return _at(seen.trace, seen.trace.axis + (dim <= seen.trace.axis))


def _squeeze(given: Arguments, result: Tensor) -> Trace | None:
    seen = given.seen[0]
    dim = given.option(1, 'dim')
    if dim is None:
        gone = [i for i, size in enumerate(seen.shape) if size == 1]
    else:
        dim = _axis(dim, len(seen.shape))
        gone = [dim] if seen.shape[dim] == 1 else []
    if seen.trace.axis in gone:
        return None
    before = sum(place < seen.trace.axis for place in gone)
    return _at(seen.trace, seen.trace.axis - before)


def _expand(given: Arguments, result: Tensor) -> Trace | None:
    seen = given.seen[0]
    axis = seen.trace.axis + result.dim() - len(seen.shape)
    if result.shape[axis] != seen.trace.origin.rows:
        return None
    return _at(seen.trace, axis)


def _repeat(given: Arguments, result: Tensor) -> Trace | None:
    seen = given.seen[0]
    axis = seen.trace.axis + result.dim() - len(seen.shape)
    times = result.shape[axis] // max(seen.shape[seen.trace.axis], 1)
    return Trace(seen.trace.origin.repeated(times), axis)


def _along(given: Arguments, result: Tensor) -> Trace | None:
    """Along another axis than the rows', which is gone or still there."""
    seen = given.seen[0]
    dim = given.option(1, 'dim')
    if len(given.seen) > 1 or not isinstance(dim, int | tuple | list):
        return None
    dims = [dim] if isinstance(dim, int) else list(dim)
    dims = [_axis(d, len(seen.shape)) for d in dims]
    axis = seen.trace.axis
    if axis in dims:
        return None
    if result.dim() == len(seen.shape):
        return seen.trace
    return _at(seen.trace, axis - sum(d < axis for d in dims))


def _linear(given: Arguments, result: Tensor) -> Trace | None:
    seen = given.seen[0]
    last = seen.trace.axis == len(seen.shape) - 1
    if last or given.args[0].shape != seen.shape or len(given.seen) > 1:
        return None
    return seen.trace


def _batched(given: Arguments, result: Tensor) -> Trace | None:
    """Row by row, whatever happens to the other axes."""
    seen = given.seen[0]
    first = given.args and given.args[0].shape == seen.shape
    if seen.trace.axis or not first or len(given.seen) > 1:
        return None
    return seen.trace


def _masked_select(given: Arguments, result: Tensor) -> Trace | None:
    seen, mask = given.seen[0], given.option(1, 'mask')
    if len(given.seen) > 1 or mask.shape != seen.shape:
        return None
    axis = seen.trace.axis
    each = seen.trace.origin.merged(prod(seen.shape[axis + 1 :]))
    origin = each.repeated(prod(seen.shape[:axis]))
    return Trace(origin.taken(mask.flatten(), len(result)), 0)


def _getitem(given: Arguments, result: Tensor) -> Trace | None:
    tensor, index = given.args
    seen = given.seen[0]
    if len(given.seen) > 1 or tensor.shape != seen.shape:
        return None
    parts = _whole_index(index, tensor.dim())
    axis, place, now = seen.trace.axis, 0, 0
    advanced = [isinstance(part, Tensor | list) for part in parts]
    for part in parts:
        width = _width(part)
        if place <= axis < place + width:
            return _picked(seen, part, place, result, now)
        if isinstance(part, Tensor | list) and sum(advanced) > 1:
            return None
        now += _left(part, width)
        place += width
    return _at(seen.trace, now + axis - place)


def _whole_index(index: Any, dims: int) -> list:
    """An index with one part an axis, or several axes, to the last."""
    parts = list(index) if isinstance(index, tuple) else [index]
    whole = [slice(None)] * (dims - sum(_width(part) for part in parts))
    for place, part in enumerate(parts):
        if part is Ellipsis:
            return parts[:place] + whole + parts[place + 1 :]
    return parts + whole


def _width(part: Any) -> int:
    """How many axes a part of an index is for."""
    if part is None or part is Ellipsis:
        return 0
    if isinstance(part, Tensor) and part.dtype in (torch.bool, torch.uint8):
        return part.dim()
    return 1


def _left(part: Any, width: int) -> int:
    """How many axes it leaves."""
    if isinstance(part, Tensor):
        return 1 if width > 1 else part.dim()
    return 0 if isinstance(part, int) else 1


def _picked(
    seen: Seen, part: Any, place: int, result: Tensor, now: int
) -> Trace | None:
    """What the part of an index picks that is for the rows' axis."""
    origin, axis = seen.trace.origin, seen.trace.axis
    if isinstance(part, int):
        return seen.trace.own(origin.image_of(part))
    if isinstance(part, slice) and part == slice(None):
        return Trace(origin, now)
    width = _width(part)
    if not isinstance(part, Tensor) or part.dim() != width or place != axis:
        return None
    if width == 1:
        return Trace(origin.taken(part, result.shape[now]), now)
    inner = origin.merged(prod(seen.shape[axis + 1 : place + width]))
    return Trace(inner.taken(part.flatten(), result.shape[now]), now)


def _cat(given: Arguments, result: Tensor) -> Iterator[tuple[Tensor, Trace]]:
    tensors = given.option(0, 'tensors')
    if len(given.seen) != len(tensors):
        return
    dim = _axis(given.option(1, 'dim', 0), result.dim())
    traces = [seen.trace for seen in given.seen]
    images = traces[0].origin.images
    if all(trace.axis is None for trace in traces):
        runs = [(s.trace.image, s.shape[dim]) for s in given.seen]
        yield result, Trace(of_runs(images, runs), dim)
    elif all(trace.axis == dim for trace in traces):
        yield result, Trace(concatenated([t.origin for t in traces]), dim)
    elif all(trace == traces[0] for trace in traces):
        yield result, traces[0]


def _stack(given: Arguments, result: Tensor) -> Iterator[tuple[Tensor, Trace]]:
    tensors = given.option(0, 'tensors')
    if len(given.seen) != len(tensors):
        return
    dim = _axis(given.option(1, 'dim', 0), result.dim())
    traces = [seen.trace for seen in given.seen]
    if all(trace.axis is None for trace in traces):
        runs = [(trace.image, 1) for trace in traces]
        yield result, Trace(of_runs(traces[0].origin.images, runs), dim)
    elif all(trace == traces[0] for trace in traces):
        axis = traces[0].axis
        assert axis is not None
        yield result, _at(traces[0], axis + (dim <= axis))


def _unbind(
    given: Arguments, result: tuple[Tensor, ...]
) -> Iterator[tuple[Tensor, Trace]]:
    if len(given.seen) != 1 or given.seen[0].trace.axis is None:
        return
    seen = given.seen[0]
    dim = _axis(given.option(1, 'dim', 0), len(seen.shape))
    for place, tensor in enumerate(result):
        if dim == seen.trace.axis:
            own = seen.trace.own(seen.trace.origin.image_of(place))
            if own is not None:
                yield tensor, own
        else:
            axis = seen.trace.axis
            yield tensor, _at(seen.trace, axis - (dim < axis))


def _split(
    given: Arguments, result: tuple[Tensor, ...]
) -> Iterator[tuple[Tensor, Trace]]:
    seen = given.seen[0]
    if len(given.seen) != 1 or seen.trace.axis is None:
        return
    dim = _axis(given.option(2, 'dim', 0), len(seen.shape))
    if dim != seen.trace.axis:
        yield from ((tensor, seen.trace) for tensor in result)
    elif seen.trace.origin.blocks == (1,):
        starts = [0]
        for tensor in result:
            size = tensor.shape[dim]
            runs = [(i, 1) for i in range(starts[-1], starts[-1] + size)]
            starts.append(starts[-1] + size)
            origin = of_runs(seen.trace.origin.images, runs)
            yield tensor, Trace(origin, dim)


_RULES: dict[str, Callable[[Arguments, Tensor], Trace | None]] = {
    'permute': _permute,
    'transpose': _transpose,
    'swapaxes': _transpose,
    'reshape': _reshape,
    'view': _reshape,
    'flatten': _reshape,
    'unflatten': _reshape,
    'unsqueeze': _unsqueeze,
    'squeeze': _squeeze,
    'expand': _expand,
    'expand_as': _expand,
    'repeat': _repeat,
    'getitem': _getitem,
    'masked_select': _masked_select,
    'linear': _linear,
    'grid_sample': _batched,
    'interpolate': _batched,
    **dict.fromkeys(
        ('sum', 'mean', 'softmax', 'log_softmax', 'max', 'min', 'amax')
        + ('amin', 'prod', 'norm', 'var', 'std', 'argmax', 'argmin', 'all')
        + ('any', 'cumsum', 'sort', 'topk'),
        _along,
    ),
}

_SEVERAL: dict[str, Callable[[Arguments, Any], Any]] = {
    'cat': _cat,
    'concat': _cat,
    'stack': _stack,
    'unbind': _unbind,
    'iter': _unbind,
    'split': _split,
    'chunk': _split,
}

_ELEMENTWISE = frozenset(
    [
        'abs',
        'add',
        'addcmul',
        'and',
        'clamp',
        'clamp_max',
        'clamp_min',
        'clone',
        'contiguous',
        'cos',
        'detach',
        'div',
        'double',
        'eq',
        'exp',
        'expm1',
        'float',
        'float_power',
        'floor',
        'ge',
        'gt',
        'half',
        'iadd',
        'idiv',
        'imul',
        'int',
        'isub',
        'itruediv',
        'le',
        'log',
        'log1p',
        'logit',
        'long',
        'lt',
        'lerp',
        'maximum',
        'minimum',
        'mul',
        'multiply',
        'ne',
        'neg',
        'nan_to_num',
        'or',
        'pow',
        'radd',
        'rdiv',
        'reciprocal',
        'relu',
        'relu_',
        'requires_grad',
        'rmul',
        'rpow',
        'round',
        'rsqrt',
        'rsub',
        'rtruediv',
        'sigmoid',
        'sign',
        'sin',
        'sqrt',
        'square',
        'sub',
        'subtract',
        'tanh',
        'to',
        'truediv',
        'true_divide',
        'type',
        'type_as',
        'where',
        'bfloat16',
        'atan',
        'arctan',
        'softplus',
        'hardtanh',
        'leaky_relu',
        'elu',
        'silu',
        'gelu',
        'atan2',
        'invert',
    ]
)
