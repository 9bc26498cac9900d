"""The state of a model besides its parameters: buffers and plain values.

Some heads keep counts in buffers (SeesawLoss) or in lists of numbers
(DDODHead, DynamicRoIHead).
"""

import copy
from collections import deque
from functools import reduce
from typing import Any

import numpy as np
import torch
from mmdet.registry import TASK_UTILS
from torch import Tensor, nn

State = dict[str, Any]
_NUMBERS = (int, float, str, type(None), np.ndarray)


def remembered(model: nn.Module) -> State:
    """A copy of all buffers and plain attributes, by their path."""
    state: State = {}
    for path, module in model.named_modules():
        for name, value in module.named_buffers(recurse=False):
            state[f'{path}.{name}'] = _copied(value)
        state |= _attributes(path, module)
        for name, tool in _tools(module):
            state |= _attributes(f'{path}.{name}', tool)
            for inner, part in _tools(tool):
                state |= _attributes(f'{path}.{name}.{inner}', part)
    return state


def restore(model: nn.Module, state: State) -> None:
    """Restore a state."""
    modules = dict(model.named_modules())
    for path, value in state.items():
        owner, _, name = path.rpartition('.')
        inside: list[str] = []
        while owner not in modules:  # In a sampler or an assigner.
            owner, _, part = owner.rpartition('.')
            inside.insert(0, part)
        place: Any = reduce(getattr, inside, modules[owner])
        if not inside and name in place._buffers:
            place._buffers[name] = _copied(value)
        else:
            setattr(place, name, _copied(value))


def _attributes(path: str, owner: Any) -> State:
    return {
        f'{path}.{name}': _copied(value)
        for name, value in vars(owner).items()
        if not name.startswith('_') and _is_plain(value)
    }


def _tools(owner: Any) -> list[tuple[str, Any]]:
    """Samplers, assigners and the like, which may also keep state."""
    return [
        (name, value)
        for name, value in vars(owner).items()
        if type(value) in TASK_UTILS.module_dict.values()
        and value is not owner
    ]


def same(ours: Any, theirs: Any) -> bool:
    """Whether two values are equal bit for bit; NaN equals NaN."""
    if isinstance(ours, Tensor) and isinstance(theirs, Tensor):
        return ours.shape == theirs.shape and bool(
            torch.isclose(ours, theirs, rtol=0, atol=0, equal_nan=True).all()
        )
    if isinstance(ours, np.ndarray):
        return np.array_equal(ours, theirs)
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return list(ours) == list(theirs) and all(
            same(ours[key], theirs[key]) for key in ours
        )
    if isinstance(ours, list | tuple | deque):
        return len(ours) == len(theirs) and all(map(same, ours, theirs))
    return bool(ours == theirs)


def _is_plain(value: Any) -> bool:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple | deque):
        return all(map(_is_plain, value))
    return isinstance(value, (*_NUMBERS, Tensor)) and not isinstance(
        value, nn.Parameter
    )


def _copied(value: Any) -> Any:
    """A copy; tensors are detached."""
    if isinstance(value, Tensor):
        return value.detach().clone()
    if isinstance(value, dict):
        return type(value)({key: _copied(part) for key, part in value.items()})
    if isinstance(value, list | deque):
        return type(value)(map(_copied, value))
    return copy.copy(value)
