"""What is known of a traced tensor, and of the arguments of an operation."""

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
        axis (int): Where the rows are, from 0.
    """

    origin: Origin
    axis: int

    def at(self, axis: int) -> Along:
        """The same rows along another axis."""
        return Along(self.origin, axis)


@dataclass(frozen=True)
class Owned:
    """All of a tensor belongs to one image.

    Attributes:
        image (int): Which.
        images (int): N, of the batch.
    """

    image: int
    images: int


@dataclass(frozen=True)
class Mixed:
    """Made of the outputs of several images, no telling how."""


Trace = Along | Owned | Mixed


@dataclass(frozen=True)
class Seen:
    """A traced argument as it was before the operation."""

    trace: Trace
    shape: torch.Size

    def count(self, first: int, last: int | None = None) -> int:
        """Elements of its axes from ``first`` to before ``last``."""
        return prod(list(self.shape)[first:last])


class Given:
    """The arguments of an operation.

    Args:
        args (tuple): Of the operation.
        kwargs (dict): Of the operation.
    """

    def __init__(self, args: tuple, kwargs: dict[str, Any]) -> None:
        self.args = args
        self.kwargs = kwargs
        self.seen = list(_seen([*args, *kwargs.values()]))

    @property
    def shape(self) -> torch.Size:
        """Of the first traced argument."""
        return self.seen[0].shape

    @property
    def dims(self) -> int:
        """Its number of axes."""
        return len(self.shape)

    @property
    def along(self) -> Along:
        """Its rows; rules by axes are asked where it has some."""
        trace = self.seen[0].trace
        assert isinstance(trace, Along)
        return trace

    @property
    def alone(self) -> bool:
        """Whether the first argument is the only traced one."""
        first = self.args[0] if self.args else None
        return len(self.seen) == 1 and getattr(first, 'shape', 0) == self.shape

    def option(self, place: int, name: str, default: Any = None) -> Any:
        """An argument by place or name."""
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
