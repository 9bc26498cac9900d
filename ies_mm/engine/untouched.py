"""What a model keeps outside of its own attributes and buffers, kept too.

:func:`ies_mm.losses.state.snapshot` copies the attributes and buffers of all
modules. Beside these a model may keep things in containers, in generators of
its own, and in modules that it hides from ``modules()`` (mmdet's distilled
detectors their teacher).
"""

import copy
import random
from collections import deque
from typing import Any

import numpy as np
import torch
from mmengine.config import ConfigDict
from torch import Tensor, nn

from ies_mm.losses.state import State, snapshot

_SHARED: tuple[Any, ...] = (
    np.random.mtrand._rand,
    random.random.__self__,  # type: ignore[attr-defined]
    torch.default_generator,
)
"""Generators of the whole process, whose state others give back."""

_CONSTANTS = frozenset({bool, float, int, str, type(None), torch.Size})

_GENERATORS = (np.random.Generator, np.random.RandomState, random.Random)


def whole_snapshot(model: nn.Module) -> State:
    """Everything that a forward pass may change in a model, copied.

    Args:
        model (nn.Module): The model.

    Returns:
        list: For :func:`ies_mm.losses.state.state_of`.
    """
    state: State = []
    known: set[int] = set()
    copies: dict[int, Any] = {}
    waiting: Any = [model]
    asked: set[int] = set()
    while waiting:
        asked |= {id(part) for part in waiting}
        found: dict[int, Any] = {}
        holder = _holder(waiting)
        for part, attributes, buffers in snapshot(holder):
            if id(part) in known or part is holder:
                continue
            known.add(id(part))
            own = {k: _apart(v, copies, found) for k, v in attributes.items()}
            state.append((part, own, buffers))
        # Some are no parts of a model, and are asked for once.
        waiting = [
            part for key, part in found.items() if key not in known | asked
        ]
    return state


def hidden_modules(model: nn.Module) -> list[nn.Module]:
    """The modules that are attributes, and are not among ``modules()``."""
    known = {id(module) for module in model.modules()}
    found: dict[int, nn.Module] = {}
    for module in model.modules():
        for value in vars(module).values():
            if isinstance(value, nn.Module) and id(value) not in known:
                found |= {id(part): part for part in value.modules()}
    return list(found.values())


def _holder(parts: list[Any]) -> nn.Module:
    """A module that has some modules and other objects."""
    holder = nn.Module()
    for number, part in enumerate(parts):
        if isinstance(part, nn.Module):
            holder.add_module(str(number), part)
        else:
            setattr(holder, f'part{number}', part)
    return holder


def _apart(value: Any, copies: dict[int, Any], found: dict[int, Any]) -> Any:
    """A copy of all that can be changed in place.

    Args:
        value (Any): Of an attribute, or in a container.
        copies (dict): Those made so far, by the id of the original.
        found (dict): Gets the objects that have attributes of their own.
    """
    if type(value) in _CONSTANTS:
        return value
    if id(value) in copies:
        return copies[id(value)]
    if isinstance(value, ConfigDict) or any(value is own for own in _SHARED):
        return value
    if isinstance(value, list | deque | dict | tuple):
        return _container_apart(value, copies, found)
    if isinstance(value, Tensor):
        return value if value.requires_grad else value.clone()
    if isinstance(value, set | np.ndarray):
        return copy.copy(value)
    if isinstance(value, _GENERATORS):
        copies[id(value)] = copy.deepcopy(value)
        return copies[id(value)]
    if isinstance(value, torch.Generator):
        copies[id(value)] = torch.Generator(value.device)
        return copies[id(value)].set_state(value.get_state())
    if hasattr(value, '__dict__') and not isinstance(value, type):
        found[id(value)] = value
    return value


def _container_apart(
    value: Any, copies: dict[int, Any], found: dict[int, Any]
) -> Any:
    if isinstance(value, tuple):
        parts = [_apart(part, copies, found) for part in value]
        changed = any(a is not b for a, b in zip(parts, value, strict=True))
        return tuple(parts) if changed and type(value) is tuple else value
    own = copies[id(value)] = copy.copy(value)
    keys = list(own) if isinstance(own, dict) else range(len(own))
    for key in keys:
        own[key] = _apart(own[key], copies, found)
    return own
