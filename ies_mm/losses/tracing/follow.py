"""Which image a row belongs to, followed through a head's own flattening.

A head is given outputs of a batch and hands rows of them (anchors, points,
queries) to its loss modules. Between the two it permutes, reshapes, joins
levels and picks positives. Outputs that are :class:`Traced` take along what
is known of their rows through these operations, whose results and graph are
what they always are. What an operation without a rule returns is mixed, and
so is all that is made of it: no loss is taken for an image's by its shape.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from ies_mm.losses.tracing import trace_axes, trace_index, trace_joins
from ies_mm.losses.tracing.origin import Origin
from ies_mm.losses.tracing.trace import Along, Given, Mixed, Owned, Trace

untraced = torch._C.DisableTorchFunctionSubclass
"""Context in which traced tensors are like any other."""

_RULES: dict[str, Callable[[Given, Tensor], Trace | None]] = {
    **dict.fromkeys(trace_axes.ELEMENTWISE, trace_axes.elementwise),
    **dict.fromkeys(trace_axes.ALONG_AN_AXIS, trace_axes.along_an_axis),
    'expand': trace_axes.expand,
    'expand_as': trace_axes.expand,
    'flatten': trace_axes.reshape,
    'getitem': trace_index.getitem,
    'grid_sample': trace_axes.row_by_row,
    'interpolate': trace_axes.resample,
    'linear': trace_axes.row_by_row,
    'masked_select': trace_index.masked_select,
    'permute': trace_axes.permute,
    'repeat': trace_axes.repeat,
    'reshape': trace_axes.reshape,
    'squeeze': trace_axes.squeeze,
    'transpose': trace_axes.transpose,
    'unflatten': trace_axes.reshape,
    'unsqueeze': trace_axes.unsqueeze,
    'view': trace_axes.reshape,
}
"""Operation -> where the rows of a tensor that comes out are."""

_JOINS: dict[str, Callable[[Given, Any], trace_joins.Traces]] = {
    'cat': trace_joins.cat,
    'chunk': trace_joins.split,
    'concat': trace_joins.cat,
    'iter': trace_joins.unbind,
    'split': trace_joins.split,
    'stack': trace_joins.stack,
    'unbind': trace_joins.unbind,
}
"""Operations on several tensors, or with several results."""


_SHAPE_OR_TYPE_ALONE = frozenset(
    {
        'empty_like',
        'full_like',
        'new_empty',
        'new_full',
        'new_ones',
        'new_tensor',
        'new_zeros',
        'ones_like',
        'zeros_like',
    }
)
_LIKE_ANOTHER = frozenset(
    {'expand_as', 'reshape_as', 'to', 'type_as', 'view_as'}
)
"""Operations whose second argument gives no values."""

_WHERE_TO_LOOK = frozenset({'grid_sample'})
"""Operations whose other arguments say where to look, as an index does."""


class Traced(Tensor):
    """A tensor that knows which image its rows belong to.

    Attributes:
        whose (Trace): What is known.
    """

    whose: Trace

    @classmethod
    def __torch_function__(
        cls,
        func: Any,
        types: Any,
        args: tuple = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Call ``func`` as if nothing were traced, and follow its rows."""
        with untraced():
            given = Given(args, kwargs or {})
            result = func(*args, **(kwargs or {}))
            if isinstance(result, Tensor | tuple | list):
                for tensor, trace in _followed(func, given, result):
                    _trace(tensor, trace)
        return result


def rows_of(value: Any) -> Origin | None:
    """The images of a tensor's rows, its first axis; None if unknown."""
    if not isinstance(value, Traced):
        return None
    trace = value.whose
    if isinstance(trace, Owned):
        return Origin(trace.images, runs=((trace.image, len(value)),))
    if isinstance(trace, Mixed) or trace.axis:
        return None
    return trace.origin


@contextmanager
def traced(
    outputs: Iterable[tuple[Tensor, int | None]], images: int
) -> Iterator[None]:
    """Trace tensors while the context is open.

    Args:
        outputs (iterable): Tensors, and their axis that counts images; None
            for tensors of one image after the other.
        images (int): N.
    """
    found = [pair for pair in outputs if type(pair[0]) is Tensor]
    batch = Origin(images, blocks=(1,))
    entries = 0
    for tensor, axis in found:
        if axis is None:
            own(tensor, entries % images, images)
            entries += 1
        else:
            _trace(tensor, Along(batch, axis))
    try:
        yield
    finally:
        for tensor, _ in found:
            tensor.__class__ = Tensor
            del vars(tensor)['whose']


def own(tensor: Tensor, image: int, images: int) -> None:
    """Say that all of a tensor belongs to one image."""
    _trace(tensor, Owned(image, images))


def _followed(func: Any, given: Given, result: Any) -> trace_joins.Traces:
    """What is known of the tensors that came out.

    A number made of all rows is a normaliser or a log value, and left alone.
    """
    if _takes_no_value(_name(func), given):
        return
    if _name(func) in _WHERE_TO_LOOK:
        given = Given(given.args[:1], {})
    several = [result] if isinstance(result, Tensor) else result
    tensors = [v for v in several if isinstance(v, Tensor) and v.dim()]
    found = {id(t): trace for t, trace in _ruled(func, given, result)}
    for tensor in tensors:
        yield tensor, found.get(id(tensor), Mixed())


def _takes_no_value(name: str, given: Given) -> bool:
    """Whether values of traced tensors have no part in what comes out."""
    like = name in _LIKE_ANOTHER and not isinstance(given.args[0], Traced)
    return like or name in _SHAPE_OR_TYPE_ALONE


def _name(func: Any) -> str:
    return str(getattr(func, '__name__', '')).strip('_')


def _ruled(func: Any, given: Given, result: Any) -> trace_joins.Traces:
    """What the rules say."""
    traces = [seen.trace for seen in given.seen]
    if not traces or Mixed() in traces:
        return
    tensors = [result] if isinstance(result, Tensor) else result
    if isinstance(traces[0], Owned) and len(set(traces)) == 1:
        # Of one image nothing but that image's can come.
        yield from ((tensor, traces[0]) for tensor in tensors)
        return
    join, rule = _JOINS.get(_name(func)), _RULES.get(_name(func))
    if join is not None:
        yield from join(given, result)
    elif rule is not None and isinstance(traces[0], Along):
        for tensor in tensors:
            trace = rule(given, tensor)
            if trace is not None:
                yield tensor, trace


def _trace(tensor: Tensor, trace: Trace) -> None:
    # No operation makes the instance, so that the graph is what it would be.
    if type(tensor) in (Tensor, Traced):
        tensor.__class__ = Traced
        vars(tensor)['whose'] = trace
