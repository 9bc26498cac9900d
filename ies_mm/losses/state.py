"""What a module remembers between two calls of it."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

State = list[tuple[Any, dict[str, Any], dict[str, Tensor]]]
"""A part, its attributes, its buffers."""

_TORCHS_OWN = frozenset(vars(nn.Module()))
_FOREIGN = ('builtins', 'logging', 'mmengine', 'numpy', 'torch')
"""Packages of whose objects, modules apart, none is a part of a model."""


def snapshot(module: nn.Module) -> State:
    """The attributes and buffers of a module and of all in it, copied.

    Samplers and assigners, which are no modules, may remember their calls
    too. Of attributes tensors, lists and dicts are copied, which are changed
    in place; what stands in lists and dicts is not.
    """
    return [
        (part, _attributes(part, _copied), _buffers(part))
        for part in _parts(module)
    ]


@contextmanager
def state_of(state: State) -> Iterator[None]:
    """Let modules start from an earlier state, and then have their own again.

    What is done in between is done on copies: the modules' own tensors, which
    a backward pass may wait for, are not touched.

    Args:
        state (list): From :func:`snapshot`; it may be used several times.
    """
    own = [
        (part, _attributes(part, lambda value: value), dict(_held(part)))
        for part, _, _ in state
    ]
    for part, attributes, buffers in state:
        part.__dict__.update({k: _copied(v) for k, v in attributes.items()})
        _held(part).update({k: b.clone() for k, b in buffers.items()})
    try:
        yield
    finally:
        for part, attributes, own_buffers in own:
            for name in vars(part).keys() - attributes.keys() - _TORCHS_OWN:
                del part.__dict__[name]  # it was made in between
            part.__dict__.update(attributes)
            _held(part).update(own_buffers)


def _parts(module: nn.Module) -> list[Any]:
    """A module, all in it, and the objects that these hold, each once."""
    parts = list(module.modules())
    known = {id(part) for part in parts}
    for part in parts:  # which grows
        for value in _attributes(part, lambda value: value).values():
            if id(value) not in known and _is_part(value):
                known.add(id(value))
                parts.append(value)
    return parts


def _is_part(value: Any) -> bool:
    kind = type(value)
    return (
        hasattr(value, '__dict__')
        and not callable(getattr(value, '__get__', None))
        and not isinstance(value, type | nn.Module | Tensor | dict)
        and kind.__module__.partition('.')[0] not in _FOREIGN
    )


def _attributes(part: Any, take: Any) -> dict[str, Any]:
    return {
        name: take(value)
        for name, value in vars(part).items()
        if name not in _TORCHS_OWN
    }


def _buffers(part: Any) -> dict[str, Tensor]:
    return {
        name: buffer.clone()
        for name, buffer in _held(part).items()
        if buffer is not None
    }


def _held(part: Any) -> dict[str, Any]:
    """The dict of a module's buffers; an empty one of another object."""
    return part._buffers if isinstance(part, nn.Module) else {}


def _copied(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value if value.requires_grad else value.clone()
    return copy.copy(value) if isinstance(value, list | dict) else value
