"""Tracing of rows to their images through a head's own flattening.

A head takes outputs of a batch and passes rows of them (anchors, points,
queries) to its loss modules. In between it permutes, reshapes, joins levels
and picks positives. :class:`Traced` outputs carry what is known of their rows
through these operations, without changing results or graph. The result of an
operation without a rule is mixed, and so is everything computed from it: no
loss is attributed to an image by its shape.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ies_mm.losses.tracing import trace_axes, trace_index, trace_joins
from ies_mm.losses.tracing.origin import Origin
from ies_mm.losses.tracing.trace import Along, Given, Mixed, Owned, Trace

untraced = torch._C.DisableTorchFunctionSubclass
"""Context in which traced tensors behave like any other."""

_RULES: dict[str, Callable[[Given, Tensor], Trace | None]] = {
    **dict.fromkeys(trace_axes.ELEMENTWISE, trace_axes.elementwise),
    **dict.fromkeys(trace_axes.ALONG_AN_AXIS, trace_axes.along_an_axis),
    **dict.fromkeys(
        trace_axes.ALONG_A_LATER_AXIS,
        partial(trace_axes.along_an_axis, place=2),
    ),
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
"""Operation -> rule for where the rows of a resulting tensor are."""

_JOINS: dict[str, Callable[[Given, Any], trace_joins.Traces]] = {
    'cat': trace_joins.cat,
    'chunk': trace_joins.split,
    'concat': trace_joins.cat,
    'iter': trace_joins.unbind,
    'split': trace_joins.split,
    'stack': trace_joins.stack,
    'unbind': trace_joins.unbind,
}
"""Operations with several inputs or several results."""


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
"""Operations that do not use the values of their second argument."""

_WHERE_TO_LOOK = frozenset({'grid_sample'})
"""Operations whose other arguments are locations, like an index."""


class Traced(Tensor):
    """A tensor that knows which image its rows belong to.

    Attributes:
        whose (Trace): The trace of its rows.
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
        """Call ``func`` untraced, then trace the rows of its results."""
        with untraced():
            # Before the call, which may change shapes in place.
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
        outputs (iterable): Tensors with their image axis; None for tensors
            that belong to one image after the other.
        images (int): N.
    """
    # Other subclasses would lose their own behaviour; their rows are unknown.
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
            # The model uses them on: an RPN predicts proposals from them.
            tensor.__class__ = Tensor
            # A head may return a tensor twice.
            vars(tensor).pop('whose', None)


def own(tensor: Tensor, image: int, images: int) -> None:
    """Mark a whole tensor as belonging to one image."""
    _trace(tensor, Owned(image, images))


def _followed(func: Any, given: Given, result: Any) -> trace_joins.Traces:
    """The traces of an operation's results.

    Scalars are not traced: they are normalisers or log values.
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
    """Whether the result does not depend on values of traced tensors."""
    like = name in _LIKE_ANOTHER and not isinstance(given.args[0], Traced)
    return like or name in _SHAPE_OR_TYPE_ALONE


def _name(func: Any) -> str:
    # In-place and operator forms (``add_``, ``__add__``) share a rule.
    return str(getattr(func, '__name__', '')).strip('_')


def _ruled(func: Any, given: Given, result: Any) -> trace_joins.Traces:
    """The traces that the rules yield."""
    # Untraced arguments are no outputs: anchors, targets, parameters.
    traces = [seen.trace for seen in given.seen]
    if not traces or Mixed() in traces:
        return
    tensors = [result] if isinstance(result, Tensor) else result
    if isinstance(traces[0], Owned) and len(set(traces)) == 1:
        # Inputs of a single image yield results of that image.
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
    # Change the class in place: an operation would alter the graph.
    if type(tensor) in (Tensor, Traced):
        tensor.__class__ = Traced
        vars(tensor)['whose'] = trace
