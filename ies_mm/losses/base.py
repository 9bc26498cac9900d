"""The capture context, the registry of adapters and their errors."""

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

from torch import Tensor, nn

from ies_mm.errors import UnsupportedModelError
from ies_mm.losses.patching import override

Losses = dict[str, Tensor]
Note = Callable[[str, Tensor, Tensor | None], None]
Adapter = Callable[[str, nn.Module, bool, Note], AbstractContextManager[None]]

_ADAPTERS: dict[type, tuple[Adapter, tuple[str, ...]]] = {}
_FAMILIES = {'mmdet': 'ies_mm.losses.detection'}


def register_adapter(
    *heads: type, relies_on: tuple[str, ...] = ()
) -> Callable[[Adapter], Adapter]:
    """Register an adapter for heads and for their subclasses.

    An adapter is a context manager ``adapter(name, head, shares, note)``:
    while it is open, every loss computation of ``head`` calls
    ``note(term, losses, shares)`` for each of its terms, with (N,) tensors
    under the names that the model returns them by. ``shares`` says whether
    shares are wanted; None is noted where they are not. The adapter restores
    the head on leaving, also after an exception.

    Args:
        *heads (type): Classes of the model's direct children.
        relies_on (tuple of str): Methods of the class that a subclass must
            not override for the adapter to be right.
    """

    def decorate(adapter: Adapter) -> Adapter:
        for head in heads:
            _ADAPTERS[head] = (adapter, relies_on)
        return adapter

    return decorate


class CapturedLosses:
    """What one forward left behind.

    Attributes:
        losses (dict): Term -> float32 (N,), each image as if it were alone in
            the batch: same outputs, same sampled anchors and RoIs, its own
            normaliser. Without gradient.
        shares (dict): Term -> (N,), the parts of the batch loss, which they
            add up to; with gradient. Empty unless asked for.
    """

    def __init__(self) -> None:
        self.losses: Losses = {}
        self.shares: Losses = {}

    def note(self, term: str, losses: Tensor, shares: Tensor | None) -> None:
        """Take one term's (N,) values, by the model's name of the term."""
        self.losses[term] = losses
        if shares is not None:
            self.shares[term] = shares

    def check_complete(self, batch: dict[str, Any]) -> None:
        """Compare with the model's own loss dict.

        Raises:
            UnsupportedModelError: The model has a loss that no adapter saw.
        """
        terms = [term for term in batch if 'loss' in term]
        missing = [term for term in terms if term not in self.losses]
        if missing:
            raise UnsupportedModelError(
                f'the model computes {", ".join(missing)} outside of the '
                f'supported heads ({_supported()}), so there is no per-image '
                'value of it'
            )
        self.losses = {term: self.losses[term] for term in terms}


@contextmanager
def capture_per_image_losses(
    model: nn.Module, shares: bool = False
) -> Iterator[CapturedLosses]:
    """Note the per-image losses of the loss forward run inside the context.

    The forward itself, its loss and the random numbers it draws are
    unchanged, to the bit. Each further loss forward inside the same context
    overwrites the values of the one before.

    Args:
        model (nn.Module): An mmdet detector, wrapped in DDP or not.
        shares (bool): Whether to compute the shares too. Defaults to False.

    Yields:
        CapturedLosses: Filled by the forward.

    Raises:
        UnsupportedModelError: A head without an adapter (at once), or a loss
            that does not come from a head (at the forward).
    """
    model = unwrap(model)
    captured = CapturedLosses()
    with ExitStack() as stack:
        for name, head, adapter in _heads_with_adapters(model):
            stack.enter_context(adapter(name, head, shares, captured.note))
        stack.enter_context(_completeness(model, captured))
        yield captured


def check_supported(model: nn.Module) -> None:
    """Refuse a model whose heads have no adapter, before it is trained.

    Raises:
        UnsupportedModelError: Lists what was found and what is supported.
    """
    with capture_per_image_losses(model):
        pass


def inherits(cls: type, base: type, methods: tuple[str, ...]) -> bool:
    """Whether ``cls`` is a ``base`` that keeps these methods of it."""
    return issubclass(cls, base) and all(
        getattr(cls, method) is getattr(base, method) for method in methods
    )


def unwrap(model: nn.Module) -> nn.Module:
    """The model inside a (distributed) wrapper."""
    module = getattr(model, 'module', None)
    return module if isinstance(module, nn.Module) else model


@contextmanager
def _completeness(
    model: nn.Module, captured: CapturedLosses
) -> Iterator[None]:
    def loss(original: Callable, *args: Any, **kwargs: Any) -> Any:
        batch = original(*args, **kwargs)
        captured.check_complete(batch)
        return batch

    with override(model, 'loss', loss):
        yield


def _heads_with_adapters(
    model: nn.Module,
) -> list[tuple[str, nn.Module, Adapter]]:
    for package, adapters in _FAMILIES.items():
        # A model of a library can only exist where the library is loaded.
        if package in sys.modules:
            importlib.import_module(adapters)
    heads = [
        (name, child)
        for name, child in model.named_children()
        if callable(getattr(child, 'loss', None))
    ]
    if not heads:
        raise UnsupportedModelError(
            f'{type(model).__name__} has no head with a loss of its own; '
            f'supported heads: {_supported()}'
        )
    return [(name, head, _find(name, head)) for name, head in heads]


def _find(name: str, head: nn.Module) -> Adapter:
    for base in type(head).__mro__:
        if base in _ADAPTERS:
            adapter, relies_on = _ADAPTERS[base]
            if inherits(type(head), base, relies_on):
                return adapter
            break
    raise UnsupportedModelError(
        f'no per-image losses for {name}={type(head).__name__}; supported '
        f'heads: {_supported()}. docs/design.md says how to register an '
        'adapter'
    )


def _supported() -> str:
    return ', '.join(sorted(head.__name__ for head in _ADAPTERS))
