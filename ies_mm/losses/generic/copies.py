"""Copies of values that a module may change in place."""

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
"""Containers with more entries are data; their contents are not examined."""

ATOMS = frozenset({bool, complex, float, int, str, type(None)})
"""Types of immutable values that hold no others."""

GENERATORS = (
    np.random.Generator,
    np.random.RandomState,
    random.Random,
    torch.Generator,
)
"""Types of random number generators."""

_NUMPYS_OWN = np.random.mtrand._rand
"""NumPy's global generator; scoring restores its state separately."""


class Copies:
    """Copies values and preserves their identity among the copies.

    Copies tensors that do not require grad, arrays, random number generators,
    sets, and lists, dicts and deques with their contents. Everything else is
    passed through.
    """

    def __init__(self) -> None:
        self._copies: dict[int, tuple[Any, Any]] = {}

    def of(self, value: Any) -> Any:
        """Copy a value."""
        # Judge by type only: an object may fake or refuse any attribute.
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
        # Keep the value itself, so that its id is not reused.
        self._copies[id(value)] = (value, copied)
        return copied

    def _of_container(self, value: Any) -> Any:
        # Noted before its entries are copied, which may refer back to it.
        copied = self._note(value, copy.copy(value))
        if len(value) <= MANY and not isinstance(value, ConfigDict):
            keys = value if isinstance(value, dict) else range(len(value))
            for key in keys:
                copied[key] = self.of(value[key])
        return copied

    def _of_tuple(self, value: tuple) -> tuple:
        entries = [self.of(entry) for entry in value]
        pairs = zip(entries, value, strict=True)
        # The same object means that there is nothing to restore, see Kept.of.
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
    # NumPy's and Python's generators have no common way to get their state.
    return pickle.dumps(generator)
