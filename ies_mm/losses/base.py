"""The capture context, the registry of adapters and their errors."""

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ies_mm.errors import UnsupportedModelError
from ies_mm.losses.fallback import past_the_features
from ies_mm.losses.patching import override

Losses = dict[str, Tensor]
Note = Callable[..., None]
Adapter = Callable[
    [str, nn.Module, 'Wanted', Note], AbstractContextManager[None]
]

_ADAPTERS: dict[type, tuple[Adapter, tuple[str, ...]]] = {}
_REFUSED: dict[type, str] = {}
_FAMILIES = {
    'mmdet': ('anchor_rows', 'dense', 'pisa', 'roi'),
    'mmseg': ('segmentation', 'segmentation_masks'),
    'mmpretrain': ('classification', 'multi_task', 'unsupervised'),
}


@dataclass(frozen=True)
class Scoring:
    """How per-image losses are computed where there is a choice.

    Attributes:
        expected (bool): Averaged over what a random sampler could have drawn,
            where the head can say.
        fallback (bool): By a forward pass for every image past the features,
            where a head has no adapter.
    """

    expected: bool = False
    fallback: bool = False


PLAIN_SCORING = Scoring()
"""What was drawn, and by adapters alone."""


@dataclass(frozen=True)
class Wanted(Scoring):
    """What an adapter is asked for.

    Attributes:
        shares (bool): Shares beside the losses.
    """

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
        *heads (type): Classes of the model's direct children.
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


class CapturedLosses:
    """What one forward left behind.

    Attributes:
        losses (dict): Term -> float32 (N,), each image as if it were alone in
            the batch: same outputs, same sampled anchors (or, if so asked,
            the mean over all that could have been sampled), RoIs and pixels,
            its own normaliser. Without gradient. NaN where the image has no
            such loss, see ``missing``.
        shares (dict): Term -> (N,), the parts of the batch loss, which they
            add up to; with gradient. Empty unless asked for.
        missing (dict): Term -> bool (N,), where the image has no such loss by
            its nature: a segmentation map without a valid pixel. A term of
            which no image can be without is not in it.
    """

    def __init__(self) -> None:
        self.losses: Losses = {}
        self.shares: Losses = {}
        self.missing: Losses = {}

    def note(
        self,
        term: str,
        losses: Tensor,
        shares: Tensor | None,
        missing: Tensor | None = None,
    ) -> None:
        """Take one term's (N,) values, by the model's name of the term.

        Args:
            term (str): The model's name.
            losses (Tensor): float32 (N,).
            shares (Tensor, optional): (N,), or None where not wanted.
            missing (Tensor, optional): bool (N,), True where the image has no
                such loss. Defaults to None, all have one.
        """
        if missing is not None:
            losses = losses.masked_fill(missing, torch.nan)
            self.missing[term] = missing
        self.losses[term] = losses
        if shares is not None:
            self.shares[term] = shares

    def totals(self) -> Tensor:
        """The loss of every image, its terms added up.

        Returns:
            Tensor: float32 (N,). A term that an image does not have counts
            zero; NaN where it has none at all.
        """
        losses = torch.stack(list(self.losses.values()))
        missing = torch.stack(
            [
                self.missing.get(term, torch.zeros_like(values).bool())
                for term, values in self.losses.items()
            ]
        )
        total = losses.masked_fill(missing, 0).sum(dim=0)
        return total.masked_fill(missing.all(dim=0), torch.nan)

    def check_complete(self, model: nn.Module, batch: dict[str, Any]) -> None:
        """Compare with the model's own loss dict.

        Raises:
            UnsupportedModelError: The model has a loss that no adapter saw.
        """
        terms = [term for term in batch if 'loss' in term]
        missing = [term for term in terms if term not in self.losses]
        if missing:
            raise UnsupportedModelError(
                f'the model computes {", ".join(missing)} outside of the '
                f'supported heads ({_supported(model)}), so there is no '
                'per-image value of it'
            )
        self.losses = {term: self.losses[term] for term in terms}
        self.missing = {t: m for t, m in self.missing.items() if t in terms}


@contextmanager
def capture_per_image_losses(
    model: nn.Module,
    shares: bool = False,
    expected: bool = False,
    fallback: bool = False,
) -> Iterator[CapturedLosses]:
    """Note the per-image losses of the loss forward run inside the context.

    The forward itself, its loss and the random numbers it draws are
    unchanged, to the bit. Each further loss forward inside the same context
    overwrites the values of the one before.

    Args:
        model (nn.Module): An mmdet detector, an mmseg segmentor or an
            mmpretrain classifier, wrapped in DDP or not.
        shares (bool): Whether to compute the shares too. Defaults to False.
        expected (bool): Whether the losses of a head that samples its anchors
            at random are those expected of it, instead of those of the sample
            that it drew. Shares are of the drawn. Defaults to False.
        fallback (bool): Whether a model with a head that has no adapter is
            run once more for every image, past the features, see
            :mod:`ies_mm.losses.fallback`. There are no shares then. Defaults
            to False, such a model is refused.

    Yields:
        CapturedLosses: Filled by the forward.

    Raises:
        UnsupportedModelError: A head without an adapter (at once), or a loss
            that does not come from a head (at the forward); shares by the
            fall-back.
    """
    model = unwrap(model)
    captured = CapturedLosses()
    want = Wanted(expected, fallback, shares)
    with ExitStack() as stack:
        for context in _noting(model, want, captured.note):
            stack.enter_context(context)
        stack.enter_context(_completeness(model, captured))
        yield captured


def check_supported(
    model: nn.Module, shares: bool = False, fallback: bool = False
) -> None:
    """Refuse a model whose heads have no adapter, before it is trained.

    Args:
        model (nn.Module): As in :func:`capture_per_image_losses`.
        shares (bool): Whether they will be asked for. Defaults to False.
        fallback (bool): As in :func:`capture_per_image_losses`. Defaults to
            False.

    Raises:
        UnsupportedModelError: Lists what was found and what is supported.
    """
    with capture_per_image_losses(model, shares=shares, fallback=fallback):
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


def find_adapter(name: str, head: nn.Module) -> Adapter:
    """The adapter that is right for a head.

    Args:
        name (str): The head's in the model.
        head (nn.Module): The head.

    Raises:
        UnsupportedModelError: There is none; lists those there are.
    """
    for base in type(head).__mro__:
        if base in _ADAPTERS:
            adapter, relies_on = _ADAPTERS[base]
            if inherits(type(head), base, relies_on):
                return adapter
            break
    raise UnsupportedModelError(
        f'no per-image losses for {name}={type(head).__name__}; supported '
        f'heads: {_supported(head)}. docs/design.md says how to register an '
        'adapter'
    )


@contextmanager
def _completeness(
    model: nn.Module, captured: CapturedLosses
) -> Iterator[None]:
    def loss(original: Callable, *args: Any, **kwargs: Any) -> Any:
        batch = original(*args, **kwargs)
        captured.check_complete(model, batch)
        return batch

    with override(model, 'loss', loss):
        yield


def _noting(
    model: nn.Module, want: Wanted, note: Note
) -> list[AbstractContextManager[None]]:
    """What notes the losses of the model's heads, to be entered."""
    _load_adapters()
    _check_not_refused(model)
    try:
        return [
            adapter(name, head, want, note)
            for name, head, adapter in _heads_with_adapters(model)
        ]
    except UnsupportedModelError as error:
        if not want.fallback:
            raise
        if want.shares:
            raise UnsupportedModelError(
                f'{error}; the fall-back has no shares'
            ) from None
    return [past_the_features(model, note)]


def _load_adapters() -> None:
    for package, modules in _FAMILIES.items():
        # A model of a library can only exist where the library is loaded.
        if package in sys.modules:
            for module in modules:
                importlib.import_module(f'ies_mm.losses.{module}')


def _check_not_refused(model: nn.Module) -> None:
    for name, head in _children(model):
        for base in type(head).__mro__:
            if base in _REFUSED:
                raise UnsupportedModelError(
                    f'no per-image losses for {name}={type(head).__name__}: '
                    f'its loss {_REFUSED[base]}'
                )


def _heads_with_adapters(
    model: nn.Module,
) -> list[tuple[str, nn.Module, Adapter]]:
    heads = [
        (name, head)
        for name, head in _children(model)
        if callable(getattr(head, 'loss', None))
    ]
    if not heads:
        raise UnsupportedModelError(
            f'{type(model).__name__} has no head with a loss of its own; '
            f'supported heads: {_supported(model)}'
        )
    return [(name, head, find_adapter(name, head)) for name, head in heads]


def _children(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Direct children, those in a list one by one."""
    for name, child in model.named_children():
        if isinstance(child, nn.ModuleList):
            yield from ((f'{name}.{i}', part) for i, part in enumerate(child))
        else:
            yield name, child


def _supported(like: nn.Module) -> str:
    """Names of the supported heads, of the same library where it has any."""
    package = type(like).__module__.partition('.')[0]
    same = [h for h in _ADAPTERS if h.__module__.startswith(f'{package}.')]
    return ', '.join(sorted(head.__name__ for head in same or _ADAPTERS))
