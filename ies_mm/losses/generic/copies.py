"""Copies of what a module may change in place."""

import copy
import pickle
import random
from collections import deque
from typing import Any

import numpy as np
import torch
from mmengine.config import ConfigDict
from torch import Tensor

MANY = 1000
"""A list of more entries is data; what stands in it is not looked at."""

ATOMS = frozenset({bool, complex, float, int, str, type(None)})
"""Types of values that hold nothing."""

GENERATORS = (
    np.random.Generator,
    np.random.RandomState,
    random.Random,
    torch.Generator,
)
"""Of random numbers."""

_NUMPYS_OWN = np.random.mtrand._rand
"""Whoever scores gives back the state of this one."""


class Copies:
    """Copies values; what was one object is one object among the copies.

    Tensors without a gradient, arrays, generators of random numbers, and
    lists, dicts, sets and queues with what stands in them. All else is as it
    is.
    """

    def __init__(self) -> None:
        self._copies: dict[int, tuple[Any, Any]] = {}

    def of(self, value: Any) -> Any:
        """The copy of a value."""
        # By its type alone: an object may answer to nothing, or to anything.
        kind = type(value)
        if kind in ATOMS:
            return value
        if id(value) in self._copies:
            return self._copies[id(value)][1]
        if issubclass(kind, list | dict | deque):
            return self._of_container(value)
        if issubclass(kind, tuple) and len(value) <= MANY:
            return self._note(value, self._of_tuple(value))
        return self._note(value, _copied(value, kind))

    def _note(self, value: Any, copied: Any) -> Any:
        # With the value itself, so that no other one gets its id.
        self._copies[id(value)] = (value, copied)
        return copied

    def _of_container(self, value: Any) -> Any:
        copied = self._note(value, copy.copy(value))
        if len(value) <= MANY and not isinstance(value, ConfigDict):
            keys = value if isinstance(value, dict) else range(len(value))
            for key in keys:
                copied[key] = self.of(value[key])
        return copied

    def _of_tuple(self, value: tuple) -> tuple:
        entries = [self.of(entry) for entry in value]
        pairs = zip(entries, value, strict=True)
        if all(one is other for one, other in pairs):
            return value
        is_named = hasattr(value, '_fields')
        return type(value)(*entries) if is_named else type(value)(entries)


def _copied(value: Any, kind: type) -> Any:
    if issubclass(kind, Tensor):
        return value if value.requires_grad else value.clone()
    if issubclass(kind, torch.Generator):
        return torch.Generator(value.device).set_state(value.get_state())
    if issubclass(kind, GENERATORS):
        if value is _NUMPYS_OWN:  # mmdet's samplers hold it
            return value
        return copy.deepcopy(value)
    return copy.copy(value) if issubclass(kind, np.ndarray | set) else value


def has_drawn(generator: Any, before: Any) -> bool:
    """Whether a generator has drawn since it was copied."""
    return _bytes_of(generator) != _bytes_of(before)


def _bytes_of(generator: Any) -> bytes:
    if isinstance(generator, torch.Generator):
        return generator.get_state().numpy().tobytes()
    return pickle.dumps(generator)
