"""What a batch call drew and divided by, given again to one image's call."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import nn

from ies_mm.losses.patching import override


class Draws:
    """Assignments and random samples of a head, noted and then replayed.

    Replaying draws no random number and computes no assignment again.

    Args:
        ground_truths (sequence): The images' ground truth objects, which the
            head hands to its assigner and sampler.
    """

    def __init__(self, ground_truths: Sequence[Any]) -> None:
        self._images = {id(gt): i for i, gt in enumerate(ground_truths)}
        self._noted: dict[tuple[str, int], list[Any]] = defaultdict(list)
        self._calls: dict[tuple[str, int], Iterator[Any]] | None = None

    def rewind(self) -> None:
        """From here on answer from the notes, each image's first one first."""
        self._calls = {key: iter(kept) for key, kept in self._noted.items()}

    def answer(self, original: Callable, *args: Any, **kwargs: Any) -> Any:
        """Stand in for ``assigner.assign`` or ``sampler.sample``."""
        given = (*args, *kwargs.values())
        image = next(
            self._images[id(value)]
            for value in given
            if id(value) in self._images
        )
        key = (original.__name__, image)
        if self._calls is not None:
            return next(self._calls[key])
        self._noted[key].append(original(*args, **kwargs))
        return self._noted[key][-1]


@contextmanager
def noted_draws(
    head: nn.Module, ground_truths: Sequence[Any]
) -> Iterator[Draws]:
    """Note, then replay, what ``head.assigner`` and ``head.sampler`` give."""
    draws = Draws(ground_truths)
    with ExitStack() as stack:
        for part, method in (('assigner', 'assign'), ('sampler', 'sample')):
            if hasattr(head, part):
                stack.enter_context(
                    override(getattr(head, part), method, draws.answer)
                )
        yield draws


class Normalisers:
    """The ``avg_factor`` of every loss call of a batch.

    Handing the batch's to the same calls on one image's slices gives the
    image's share of the batch loss.
    """

    def __init__(self) -> None:
        self._noted: dict[nn.Module, list[Any]] = defaultdict(list)
        self._calls: dict[nn.Module, Iterator[Any]] | None = None

    def rewind(self) -> None:
        """From here on put the batch's in, starting at the first call."""
        self._calls = {key: iter(kept) for key, kept in self._noted.items()}

    def before_loss(
        self, module: nn.Module, args: Any, kwargs: dict
    ) -> tuple[Any, dict]:
        """A forward pre-hook of a loss module."""
        if self._calls is None:
            self._noted[module].append(kwargs['avg_factor'])
            return args, kwargs
        return args, kwargs | {'avg_factor': next(self._calls[module])}


@contextmanager
def noted_normalisers(head: nn.Module) -> Iterator[Normalisers]:
    """Note, then replace, the ``avg_factor`` of the head's loss modules."""
    normalisers = Normalisers()
    handles = [
        module.register_forward_pre_hook(
            normalisers.before_loss, with_kwargs=True
        )
        for module in loss_modules(head)
    ]
    try:
        yield normalisers
    finally:
        for handle in handles:
            handle.remove()


def loss_modules(head: nn.Module) -> list[nn.Module]:
    """The head's children called ``loss...``, as mmdet names them all."""
    return [
        module
        for name, module in head.named_children()
        if name.startswith('loss')
    ]


@contextmanager
def kept_buffers(head: nn.Module) -> Iterator[None]:
    """Give loss modules that count what they see (Seesaw) their state back."""
    buffers = [b for module in loss_modules(head) for b in module.buffers()]
    before = [buffer.clone() for buffer in buffers]
    try:
        yield
    finally:
        with torch.no_grad():
            for buffer, value in zip(buffers, before, strict=True):
                buffer.copy_(value)
