"""What a module remembers between two calls of it."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

State = list[tuple[nn.Module, dict[str, Any], dict[str, Tensor]]]

_TORCHS_OWN = frozenset(vars(nn.Module()))


def snapshot(module: nn.Module) -> State:
    """The attributes and buffers of a module and of all in it, copied.

    Of attributes lists and dicts are copied, which modules change in place;
    what stands in them is not.
    """
    return [
        (part, _attributes(part, _copied), _buffers(part))
        for part in module.modules()
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
        (part, _attributes(part, lambda value: value), dict(part._buffers))
        for part, _, _ in state
    ]
    for part, attributes, buffers in state:
        vars(part).update({k: _copied(v) for k, v in attributes.items()})
        part._buffers.update({k: b.clone() for k, b in buffers.items()})
    try:
        yield
    finally:
        for part, attributes, own_buffers in own:
            for name in vars(part).keys() - attributes.keys() - _TORCHS_OWN:
                del vars(part)[name]  # it was made in between
            vars(part).update(attributes)
            part._buffers.update(own_buffers)


def _attributes(part: nn.Module, take: Any) -> dict[str, Any]:
    return {
        name: take(value)
        for name, value in vars(part).items()
        if name not in _TORCHS_OWN
    }


def _buffers(part: nn.Module) -> dict[str, Tensor]:
    return {
        name: buffer.clone()
        for name, buffer in part.named_buffers(recurse=False)
    }


def _copied(value: Any) -> Any:
    return copy.copy(value) if isinstance(value, list | dict) else value
