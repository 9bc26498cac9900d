"""Recording of a loss's random draws, and their replay per image.

Some losses draw random numbers: sampled anchors, points of a mask. An image
alone must get what was drawn for it in the batch, and the training's random
state must not change. So the draws of the batch are recorded and replayed for
the images, one after the other.
"""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import (
    AbstractContextManager,
    ExitStack,
    contextmanager,
    nullcontext,
)
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from ies_mm.errors import UnsupportedModelError
from ies_mm.losses.capture.patching import override
from ies_mm.losses.capture.random_state import preserved_random_state

_DRAWING = (
    torch.rand,
    torch.rand_like,
    torch.randint,
    torch.randint_like,
    torch.randn,
    torch.randn_like,
    torch.randperm,
)

_TARGETS = ('_target_single', '_targets_single')
"""Suffixes of methods that mmdet's heads call image by image."""


@dataclass
class Draw:
    """One draw of a batch.

    Attributes:
        function (callable): The torch function.
        values (Tensor): The values drawn, rows first.
        image (int, optional): The image it was drawn for; None if its rows
            belong to the images in order.
        used (int): Number of rows already given to images.
    """

    function: Callable
    values: Tensor
    image: int | None
    used: int = 0

    def take(self, function: Callable, wanted: Tensor) -> Tensor | None:
        """The next unused rows that match ``wanted``, or None."""
        rows = len(wanted)
        # A permutation cannot be cut: its values are places among all rows.
        whole = function is torch.randperm and rows != len(self.values)
        if (
            function is not self.function
            or whole
            or wanted.shape[1:] != self.values.shape[1:]
            or self.used + rows > len(self.values)
        ):
            return None
        self.used += rows
        return self.values[self.used - rows : self.used]


@contextmanager
def noted_draws(owner: Any, images: int) -> Iterator[list[Draw]]:
    """Record what torch draws while the context is open.

    Args:
        owner (Any): A head. Draws in its ``_get_targets_single`` and the
            like, which mmdet's heads call image by image in every layer,
            belong to that image.
        images (int): N.

    Yields:
        list of Draw: In order.
    """
    draws: list[Draw] = []
    calls = Counter[str]()
    image: int | None = None

    def target(
        name: str, original: Callable, *args: Any, **kwargs: Any
    ) -> Any:
        nonlocal image
        # Heads go through the images once per layer, hence the remainder.
        outer, image = image, calls[name] % images
        calls[name] += 1
        try:
            return original(*args, **kwargs)
        finally:
            image = outer

    def note(function: Callable, values: Tensor) -> Tensor:
        # Cloned, as the loss may write into what it drew.
        draws.append(Draw(function, values.clone(), image))
        return values

    with ExitStack() as stack:
        for name in _target_methods(owner):
            stack.enter_context(override(owner, name, partial(target, name)))
        stack.enter_context(_Draws(note))
        yield draws


def _target_methods(owner: Any) -> tuple[str, ...]:
    kind: Any = type(owner)
    return _targets_of(kind)


@cache
def _targets_of(kind: Any) -> tuple[str, ...]:
    # Once per class, since it is needed for every image of a batch.
    return tuple(name for name in dir(kind) if name.endswith(_TARGETS))


@contextmanager
def draws_again(owner: Any, draws: list[Draw], image: int) -> Iterator[None]:
    """Replay what was drawn for an image instead of drawing anew.

    Open it once per image, in order. The random state is restored on exit.

    Args:
        owner (Any): The head.
        draws (list of Draw): The draws of the batch.
        image (int): Index of the image.

    Raises:
        UnsupportedModelError: The image draws what the batch did not.
        UnsupportedModelError: NumPy or Python draws, which cannot be
            replayed.
    """
    other = 'by functions that are not replayed'
    none = 'where the batch draws none'
    with (
        # Outermost: the checks must see the state before it is restored.
        preserved_random_state(),
        _unchanged(_others_states, 'from NumPy or Python'),
        _unchanged(_random_states, other if draws else none),
        # Intercepting torch is slow, so without draws only its state is
        # watched.
        _again(owner, draws, image) if draws else nullcontext(),
    ):
        yield


@contextmanager
def _again(owner: Any, draws: list[Draw], image: int) -> Iterator[None]:
    place = 0
    drawn_for: int | None = None

    def target(original: Callable, *args: Any, **kwargs: Any) -> Any:
        nonlocal drawn_for
        outer, drawn_for = drawn_for, image
        try:
            return original(*args, **kwargs)
        finally:
            drawn_for = outer

    def replay(function: Callable, values: Tensor) -> Tensor:
        nonlocal place
        for number, draw in enumerate(draws[place:], place):
            taken = None
            if draw.image == drawn_for:
                taken = draw.take(function, values)
            if taken is not None:
                # A call of the batch serves one call of the image.
                place = number + 1
                return taken
        raise _other_draws(f'{function.__name__}{tuple(values.shape)}')

    with ExitStack() as stack:
        for name in _target_methods(owner):
            stack.enter_context(override(owner, name, target))
        stack.enter_context(_Draws(replay, preserved_random_state))
        yield


@contextmanager
def _unchanged(states: Callable[[], list[Any]], what: str) -> Iterator[None]:
    before = states()
    yield
    if not all(map(_same, before, states())):
        raise _other_draws(what)


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, Tensor):
        return torch.equal(one, other)
    return bool(one == other)


def _others_states() -> list[Any]:
    numpys: Any = np.random.get_state()
    return [random.getstate(), numpys[1].tobytes(), *numpys[2:]]


def _random_states() -> list[Tensor]:
    # A CUDA generator's state is on the host: no wait for the device.
    return [torch.get_rng_state(), *torch.cuda.get_rng_state_all()]


def _other_draws(what: str) -> UnsupportedModelError:
    return UnsupportedModelError(
        'an image alone draws other random numbers than the batch '
        f'({what}), so there are no per-image losses'
    )


class _Draws(TorchFunctionMode):
    """Passes drawn values to a callback.

    Args:
        then (callable): Function and values -> the values to use.
        around (callable): Makes the context in which to draw. Defaults to
            none.
    """

    def __init__(
        self,
        then: Callable[[Callable, Tensor], Tensor],
        around: Callable[[], AbstractContextManager] = nullcontext,
    ) -> None:
        super().__init__()
        self.then = then
        self.around = around

    def __torch_function__(
        self,
        func: Callable,
        types: Any,
        args: tuple = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Call ``func``; if it draws, pass its values through ``then``."""
        if func not in _DRAWING:
            return func(*args, **(kwargs or {}))
        # Drawn even if replaced: the result has the shape, dtype and device,
        # in whatever way the arguments give them.
        with self.around():
            values = func(*args, **(kwargs or {}))
        return self.then(func, values)
