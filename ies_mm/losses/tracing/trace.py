"""Traces of tensors, and the traced arguments of an operation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor

from ies_mm.losses.tracing.origin import Origin


@dataclass(frozen=True)
class Along:
    """Rows along an axis, each of one image.

    Attributes:
        origin (Origin): The images of the rows.
        axis (int): The axis of the rows, from 0.
    """

    origin: Origin
    axis: int

    def at(self, axis: int) -> Along:
        """The same rows along another axis."""
        return Along(self.origin, axis)


@dataclass(frozen=True)
class Owned:
    """The whole tensor belongs to one image.

    Attributes:
        image (int): Index of the image.
        images (int): N, the batch size.
    """

    image: int
    images: int


@dataclass(frozen=True)
class Mixed:
    """Computed from outputs of several images in an unknown way."""


Trace = Along | Owned | Mixed


@dataclass(frozen=True)
class Seen:
    """A traced argument as it was before the operation."""

    trace: Trace
    shape: torch.Size

    def count(self, first: int, last: int | None = None) -> int:
        """Number of elements of axes ``first`` to ``last``, exclusive."""
        return prod(list(self.shape)[first:last])


class Given:
    """The arguments of an operation.

    Args:
        args (tuple): Positional arguments.
        kwargs (dict): Keyword arguments.
    """

    def __init__(self, args: tuple, kwargs: dict[str, Any]) -> None:
        self.args = args
        self.kwargs = kwargs
        self.seen = list(_seen([*args, *kwargs.values()]))

    @property
    def shape(self) -> torch.Size:
        """Shape of the first traced argument."""
        return self.seen[0].shape

    @property
    def dims(self) -> int:
        """Number of axes of the first traced argument."""
        return len(self.shape)

    @property
    def along(self) -> Along:
        """Its trace, which must be :class:`Along`; axis rules require it."""
        trace = self.seen[0].trace
        assert isinstance(trace, Along)
        return trace

    @property
    def alone(self) -> bool:
        """Whether the first argument is the only traced one."""
        first = self.args[0] if self.args else None
        return len(self.seen) == 1 and getattr(first, 'shape', 0) == self.shape

    def option(self, place: int, name: str, default: Any = None) -> Any:
        """An argument by position or name."""
        if len(self.args) > place:
            return self.args[place]
        return self.kwargs.get(name, default)


def _seen(values: list[Any]) -> Iterator[Seen]:
    for value in values:
        if isinstance(value, Tensor):
            trace = getattr(value, 'whose', None)
            if trace is not None:
                yield Seen(trace, value.shape)
        elif isinstance(value, list | tuple):
            yield from _seen(list(value))
