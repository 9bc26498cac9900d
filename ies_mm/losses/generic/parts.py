"""The objects that make up a module, and where they keep their state."""

import functools
import types
import weakref
from collections import deque
from collections.abc import Iterable, Iterator, MutableMapping
from typing import Any

from torch import Tensor, nn
from torch.utils.data import Dataset

from ies_mm.losses.generic.copies import ATOMS, MANY

Space = tuple[MutableMapping[str, Any], list[str]]
"""A namespace that maps names to values, and the relevant names."""

_TORCHS_OWN = frozenset(vars(nn.Module()))
_FOREIGN = ('builtins', 'logging', 'mmengine', 'numpy', 'torch', 'weakref')
"""Packages whose objects, except modules, are not parts of a model."""

_LIBRARIES = ('mmcv', 'mmdet', 'mmpretrain', 'mmseg', 'timm', 'transformers')
"""Packages whose modules, like torch's, never change parameters in forward."""


def parts_of(module: nn.Module) -> list[Any]:
    """A module, its submodules and the objects they hold, each once."""
    parts = list(module.modules())
    # By id, as the objects found need not be hashable.
    known = {id(part) for part in parts}
    for part in parts:  # grows in the loop
        for space, names in namespaces_of(part):
            for value in _entries(space[name] for name in names):
                if id(value) not in known and _is_part(_kind(value)):
                    # A plain list hides a module and so its submodules.
                    inner = (
                        value.modules()
                        if isinstance(value, nn.Module)
                        else [value]
                    )
                    more = [one for one in inner if id(one) not in known]
                    known |= {id(one) for one in more}
                    parts.extend(more)
    return parts


def namespaces_of(part: Any) -> Iterator[Space]:
    """The namespaces of a part: attributes, buffers, frozen parameters."""
    if _has_dict(_kind(part)):
        attributes = vars(part)
        yield attributes, [n for n in attributes if n not in _TORCHS_OWN]
    if _members(_kind(part)):
        slots = _Slots(part)
        yield slots, list(slots)
    if isinstance(part, nn.Module):
        buffers = part._buffers
        yield buffers, [n for n, b in buffers.items() if b is not None]
        if _package(type(part)) not in (*_FOREIGN, *_LIBRARIES):
            # Such as prototypes, which a loss updates itself.
            fixed = part._parameters
            yield (
                fixed,
                [
                    name
                    for name, value in fixed.items()
                    if value is not None and not value.requires_grad
                ],
            )


class _Slots(MutableMapping[str, Any]):
    """The ``__slots__`` attributes of an object, as a mapping."""

    def __init__(self, owner: Any) -> None:
        self._owner = owner
        self._members = _members(_kind(owner))

    def __getitem__(self, name: str) -> Any:
        try:
            return self._members[name].__get__(self._owner)
        except AttributeError:
            raise KeyError(name) from None

    def __setitem__(self, name: str, value: Any) -> None:
        self._members[name].__set__(self._owner, value)

    def __delitem__(self, name: str) -> None:
        self._members[name].__delete__(self._owner)

    def __iter__(self) -> Iterator[str]:
        return (name for name in self._members if name in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _entries(values: Iterable[Any]) -> Iterator[Any]:
    """Values and the contents of nested lists and dicts, each once."""
    known: set[int] = set()
    left = list(values)
    while left:
        value = left.pop()
        kind = type(value)
        if kind in ATOMS or id(value) in known:
            continue
        known.add(id(value))
        if not issubclass(kind, list | tuple | dict | deque):
            yield value
        elif len(value) <= MANY:
            left.extend(value.values() if issubclass(kind, dict) else value)


@functools.cache
def _is_part(kind: Any) -> bool:
    # Judge by type only: an object may fake or refuse any attribute.
    if issubclass(kind, nn.Module):
        return True
    return (
        _package(kind) not in _FOREIGN
        and (_has_dict(kind) or bool(_members(kind)))
        # Functions and methods, which have a __dict__ as well.
        and not hasattr(kind, '__get__')
        and not issubclass(
            kind, type | Tensor | dict | Dataset | weakref.ReferenceType
        )
    )


@functools.cache
def _members(kind: Any) -> dict[str, types.MemberDescriptorType]:
    """The slots of a class written in Python."""
    return {
        name: member
        for base in kind.__mro__
        # Classes written in C have member descriptors too, often read-only.
        if '__slots__' in vars(base)
        for name, member in vars(base).items()
        if isinstance(member, types.MemberDescriptorType)
    }


@functools.cache
def _has_dict(kind: Any) -> bool:
    """Whether instances have a plain ``__dict__``, not a custom one."""
    found = [
        vars(b)['__dict__'] for b in kind.__mro__ if '__dict__' in vars(b)
    ]
    return bool(found) and isinstance(found[0], types.GetSetDescriptorType)


def _kind(value: Any) -> Any:
    """The type of a value; as Any, since mypy doubts that it is hashable."""
    return type(value)


def _package(kind: type) -> str:
    return kind.__module__.partition('.')[0]
