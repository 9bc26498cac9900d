"""Which image a row belongs to, followed through a head's own flattening.

A head is given outputs of a batch and hands rows of them (anchors, points,
queries) to its loss modules. Between the two it permutes, reshapes, joins
levels and picks positives. Outputs that are :class:`Traced` take their
:class:`~ies_mm.losses.origin.Origin` along through these operations, whose
results and graph are what they always are. What an operation without a rule
returns is a plain tensor, of which nothing is known.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from ies_mm.losses import trace_rules
from ies_mm.losses.origin import Origin
from ies_mm.losses.trace_rules import Trace

untraced = torch._C.DisableTorchFunctionSubclass
"""Context in which traced tensors are like any other."""


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
        kwargs = kwargs or {}
        with untraced():
            before = trace_rules.Arguments(args, kwargs)
            result = func(*args, **kwargs)
            if isinstance(result, Tensor | tuple | list):
                for tensor, trace in before.follow(func, result):
                    _trace(tensor, trace)
        return result


def rows_of(value: Any) -> Origin | None:
    """The images of a tensor's rows, its first axis; None if unknown."""
    if type(value) is not Traced:
        return None
    trace = value.whose
    if trace.axis is None:
        rows = [(trace.image, len(value))]
        return Origin(trace.origin.images, runs=tuple(rows))
    return trace.origin if trace.axis == 0 else None


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
    batch = Origin(images, blocks=(1,))
    found = [pair for pair in outputs if type(pair[0]) is Tensor]
    entries = 0
    for tensor, axis in found:
        _trace(tensor, Trace(batch, axis, entries % images))
        entries += axis is None
    try:
        yield
    finally:
        for tensor, _ in found:
            plain(tensor)


def own(tensor: Tensor, image: int, images: int) -> None:
    """Say that all of a tensor belongs to one image."""
    _trace(tensor, Trace(Origin(images, blocks=(1,)), None, image))


def plain(tensor: Tensor) -> Tensor:
    """The same tensor, not traced any more."""
    if type(tensor) is Traced:
        del tensor.whose
        tensor.__class__ = Tensor
    return tensor


def _trace(tensor: Tensor, trace: Trace) -> None:
    # No subclass instance is made by an operation of its own, so that the
    # graph is the one that it would be.
    if type(tensor) in (Tensor, Traced):
        tensor.__class__ = Traced
        tensor.whose = trace
