"""Operations that join or split tensors."""

from collections.abc import Iterator, Sequence

from torch import Tensor

from ies_mm.losses.tracing.origin import concatenated, of_runs
from ies_mm.losses.tracing.trace import Along, Given, Owned, Trace

Traces = Iterator[tuple[Tensor, Trace]]


def cat(given: Given, result: Tensor) -> Traces:
    """Concatenate along the rows, or equal rows along another axis."""
    dim = given.option(1, 'dim', 0) % result.dim()
    traces = [seen.trace for seen in given.seen]
    tensors = given.option(0, 'tensors')
    # One tensor of unknown rows makes the places of all others unknown.
    if len(traces) + _empty(tensors, dim) < len(tensors):
        return
    owned = [t for t in traces if isinstance(t, Owned)]
    rows = [t for t in traces if isinstance(t, Along)]
    if len(owned) == len(traces):
        lengths = [seen.shape[dim] for seen in given.seen]
        yield result, _of_owned(owned, lengths, dim)
    elif rows == traces and all(t.axis == dim for t in rows):
        yield result, Along(concatenated([t.origin for t in rows]), dim)
    elif all(trace == traces[0] for trace in traces):
        yield result, traces[0]


def _empty(tensors: Sequence[Tensor], dim: int) -> int:
    """Number of untraced empty tensors, made for images without rows."""
    return sum(
        not hasattr(tensor, 'whose') and not tensor.shape[dim % tensor.dim()]
        for tensor in tensors
    )


def stack(given: Given, result: Tensor) -> Traces:
    """Stack along a new axis, of images or in addition to the rows'."""
    dim = given.option(1, 'dim', 0) % result.dim()
    traces = [seen.trace for seen in given.seen]
    if len(traces) != len(given.option(0, 'tensors')):
        return
    owned = [t for t in traces if isinstance(t, Owned)]
    first = traces[0]
    if len(owned) == len(traces):
        yield result, _of_owned(owned, [1] * len(owned), dim)
    elif isinstance(first, Along) and all(t == first for t in traces):
        yield result, first.at(first.axis + (dim <= first.axis))


def unbind(given: Given, result: tuple[Tensor, ...]) -> Traces:
    """One tensor for every index of an axis."""
    along = given.along
    dim = given.option(1, 'dim', 0) % given.dims
    for place, tensor in enumerate(result):
        if dim != along.axis:
            yield tensor, along.at(along.axis - (dim < along.axis))
            continue
        image = along.origin.image_of(place)
        if image is not None:
            yield tensor, Owned(image, along.origin.images)


def split(given: Given, result: tuple[Tensor, ...]) -> Traces:
    """Split along another axis than the rows'."""
    if given.option(2, 'dim', 0) % given.dims != given.along.axis:
        yield from ((tensor, given.along) for tensor in result)


def _of_owned(owned: list[Owned], lengths: list[int], axis: int) -> Along:
    images = [one.image for one in owned]
    runs = list(zip(images, lengths, strict=True))
    return Along(of_runs(owned[0].images, runs), axis)
