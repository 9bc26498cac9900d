"""Which adapter serves which head, and what an adapter is asked for."""

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

from torch import nn

from ies_mm.errors import UnsupportedModelError
from ies_mm.losses.capture.plugins import load_plugins

Note = Callable[..., None]
Adapter = Callable[
    [str, nn.Module, 'Wanted', Note], AbstractContextManager[None]
]

_ADAPTERS: dict[type, tuple[Adapter, tuple[str, ...]]] = {}
_REFUSED: dict[type, str] = {}
_FAMILIES = {
    'mmdet': ('anchor_rows', 'dense_heads', 'pisa', 'roi_heads'),
    'mmseg': ('heads', 'mask_heads'),
    'mmpretrain': ('heads', 'multi_task', 'refused'),
    'mmpose': ('heads',),
    'mmrotate': ('heads',),
}


@dataclass(frozen=True)
class Wanted:
    """What an adapter is asked for.

    Attributes:
        fallback (bool): Losses by a forward pass for every image past the
            features, where a head has no adapter.
        shares (bool): Shares beside the losses.
    """

    fallback: bool = False
    shares: bool = False


def register_adapter(
    *heads: type, relies_on: tuple[str, ...] = ()
) -> Callable[[Adapter], Adapter]:
    """Register an adapter for heads and for their subclasses.

    An adapter is a context manager ``adapter(name, head, want, note)``:
    while it is open, every loss computation of ``head`` calls
    ``note(term, losses, shares, missing=None)`` for each of its terms (see
    :meth:`CapturedLosses.note`), under the names that the model returns them
    by. ``name`` is the head's in the model, ``decode_head`` or
    ``auxiliary_head.0``; ``want`` is a :class:`Wanted`; None is noted for
    shares that are not. The adapter restores the head on leaving, also after
    an exception.

    Args:
        *heads (type): Classes of the model's direct children, or of models
            that compute their loss without a head; ``name`` is '' then.
        relies_on (tuple of str): Methods of the class that a subclass must
            not override for the adapter to be right.
    """

    def decorate(adapter: Adapter) -> Adapter:
        for head in heads:
            _ADAPTERS[head] = (adapter, relies_on)
        return adapter

    return decorate


def refuse_heads(reason: str, *heads: type) -> None:
    """Refuse heads, and subclasses, whose images have no loss of their own.

    The fall-back is no way out for these: the model run on an image alone
    would have another loss, or none.

    Args:
        reason (str): What their loss does, to go on from "its loss".
        *heads (type): Classes of the model's direct children.
    """
    _REFUSED.update(dict.fromkeys(heads, reason))


def inherits(cls: type, base: type, methods: tuple[str, ...]) -> bool:
    """Whether ``cls`` is a ``base`` that keeps these methods of it."""
    return issubclass(cls, base) and all(
        getattr(cls, method) is getattr(base, method) for method in methods
    )


def adapter_for(head: type) -> Adapter | None:
    """The adapter that takes heads of a class, if there is one."""
    for base in head.__mro__:
        if base in _ADAPTERS:
            adapter, relies_on = _ADAPTERS[base]
            return adapter if inherits(head, base, relies_on) else None
    return None


def find_adapter(name: str, head: nn.Module) -> Adapter:
    """The adapter that is right for a head.

    Args:
        name (str): The head's in the model.
        head (nn.Module): The head.

    Raises:
        UnsupportedModelError: There is none; lists those there are.
    """
    adapter = adapter_for(type(head))
    if adapter is not None:
        return adapter
    raise UnsupportedModelError(
        f'no per-image losses for {name}={type(head).__name__}; supported '
        f'heads: {supported(head)}. docs/adapters.md says how to register '
        'an adapter'
    )


def adapters_of(
    model: nn.Module,
) -> list[tuple[str, nn.Module, Adapter]]:
    """The heads of a model that have a loss, with name and adapter.

    Raises:
        UnsupportedModelError: There are none, or one has no adapter.
    """
    if any(base in _ADAPTERS for base in type(model).__mro__):
        return [('', model, find_adapter('the model', model))]
    heads = [
        (name, head)
        for name, head in _children(model)
        if callable(getattr(head, 'loss', None))
    ]
    if not heads:
        raise UnsupportedModelError(
            f'{type(model).__name__} has no head with a loss of its own; '
            f'supported heads: {supported(model)}'
        )
    return [(name, head, find_adapter(name, head)) for name, head in heads]


def check_not_refused(model: nn.Module) -> None:
    """Refuse a model whose images have no loss of their own.

    Raises:
        UnsupportedModelError: Says why.
    """
    _load_adapters()
    for name, head in _children(model):
        for base in type(head).__mro__:
            if base in _REFUSED:
                raise UnsupportedModelError(
                    f'no per-image losses for {name}={type(head).__name__}: '
                    f'its loss {_REFUSED[base]}'
                )


def _load_adapters() -> None:
    for package, modules in _FAMILIES.items():
        # A model of a library can only exist where its models are loaded.
        # mmpretrain imports mmdet, whose models want mmcv's operators.
        if f'{package}.models' in sys.modules:
            for module in modules:
                importlib.import_module(f'ies_mm.losses.{package}.{module}')
    load_plugins()


def _children(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Direct children, those in a list one by one."""
    for name, child in model.named_children():
        if isinstance(child, nn.ModuleList):
            yield from ((f'{name}.{i}', part) for i, part in enumerate(child))
        else:
            yield name, child


def supported(like: nn.Module) -> str:
    """Names of the supported heads, of the same library where it has any."""
    package = type(like).__module__.partition('.')[0]
    same = [h for h in _ADAPTERS if h.__module__.startswith(f'{package}.')]
    return ', '.join(sorted(head.__name__ for head in same or _ADAPTERS))
