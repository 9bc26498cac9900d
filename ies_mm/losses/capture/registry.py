"""Registry of adapters by head class."""

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
    """What an adapter has to provide.

    Attributes:
        fallback (bool): Whether a model with a head without an adapter is
            run again per image, from the features on.
        shares (bool): Whether to compute shares as well as losses.
    """

    fallback: bool = False
    shares: bool = False


def register_adapter(
    *heads: type, relies_on: tuple[str, ...] = ()
) -> Callable[[Adapter], Adapter]:
    """Register an adapter for head classes and their subclasses.

    An adapter is a context manager ``adapter(name, head, want, note)``:
    while it is open, every loss computation of ``head`` calls
    ``note(term, losses, shares, missing=None)`` for each of its terms (see
    :meth:`CapturedLosses.note`), under the names in the model's loss dict.
    ``name`` is the head's name in the model, such as ``decode_head`` or
    ``auxiliary_head.0``; ``want`` is a :class:`Wanted`; ``shares`` is None
    if not requested. The adapter restores the head on exit, even after an
    exception.

    Args:
        *heads (type): Classes of the model's direct children, or of models
            that compute their loss without a head (``name`` is then '').
        relies_on (tuple of str): Methods that a subclass must not override
            for the adapter to be correct.
    """

    def decorate(adapter: Adapter) -> Adapter:
        for head in heads:
            _ADAPTERS[head] = (adapter, relies_on)
        return adapter

    return decorate


def refuse_heads(reason: str, *heads: type) -> None:
    """Refuse heads and subclasses whose images have no loss of their own.

    The fallback does not help here: the model run on a single image would
    have a different loss, or none.

    Args:
        reason (str): What the loss does, completing "its loss ...".
        *heads (type): Classes of the model's direct children.
    """
    _REFUSED.update(dict.fromkeys(heads, reason))


def inherits(cls: type, base: type, methods: tuple[str, ...]) -> bool:
    """Whether ``cls`` is a ``base`` that does not override ``methods``."""
    return issubclass(cls, base) and all(
        getattr(cls, method) is getattr(base, method) for method in methods
    )


def adapter_for(head: type) -> Adapter | None:
    """The adapter for a head class, or None."""
    for base in head.__mro__:
        if base in _ADAPTERS:
            # Only the nearest class counts: the adapter of a more distant one
            # would miss what the nearer one changed.
            adapter, relies_on = _ADAPTERS[base]
            return adapter if inherits(head, base, relies_on) else None
    return None


def find_adapter(name: str, head: nn.Module) -> Adapter:
    """The adapter for a head.

    Args:
        name (str): The head's name in the model.
        head (nn.Module): The head.

    Raises:
        UnsupportedModelError: There is none; lists the supported heads.
    """
    adapter = adapter_for(type(head))
    if adapter is not None:
        return adapter
    raise UnsupportedModelError(
        f'no per-image losses for {name}={type(head).__name__}; supported '
        f'heads: {supported(head)}. Set fallback=True, or register an '
        'adapter (docs/adapters.md)'
    )


def adapters_of(
    model: nn.Module,
) -> list[tuple[str, nn.Module, Adapter]]:
    """The heads of a model that have a loss, with names and adapters.

    Raises:
        UnsupportedModelError: There are none, or one has no adapter.
    """
    # timm and Hugging Face classifiers compute their loss without a head.
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
            f'supported heads: {supported(model)}. Set fallback=True, or '
            'give the model a head with a loss (docs/adapters.md)'
        )
    return [(name, head, find_adapter(name, head)) for name, head in heads]


def check_not_refused(model: nn.Module) -> None:
    """Refuse a model whose images have no loss of their own.

    Raises:
        UnsupportedModelError: The model has such a head; gives the reason.
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
        # A library's model can exist only if its models are imported. Do not
        # test for mmdet itself: mmpretrain imports it, but mmdet.models
        # requires mmcv's operators.
        if f'{package}.models' in sys.modules:
            for module in modules:
                importlib.import_module(f'ies_mm.losses.{package}.{module}')
    load_plugins()


def _children(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Direct children, with ModuleLists expanded."""
    for name, child in model.named_children():
        if isinstance(child, nn.ModuleList):
            yield from ((f'{name}.{i}', part) for i, part in enumerate(child))
        else:
            yield name, child


def supported(like: nn.Module) -> str:
    """Names of the supported heads, of the same library if it has any."""
    package = type(like).__module__.partition('.')[0]
    same = [h for h in _ADAPTERS if h.__module__.startswith(f'{package}.')]
    return ', '.join(sorted(head.__name__ for head in same or _ADAPTERS))
