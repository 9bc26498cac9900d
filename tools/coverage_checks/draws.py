"""Random draws that do not depend on the batch an image is in.

An image alone must draw what it drew in its batch. So every draw returns the
same values for each row of its first dimension (images, their objects or
queries); a permutation depends only on its length; dropout is off.
"""

import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

_UNIFORM = (torch.rand, torch.rand_like, Tensor.uniform_)
_NORMAL = (torch.randn, torch.randn_like, Tensor.normal_, torch.normal)
_INTEGERS = (torch.randint, torch.randint_like, Tensor.random_)
_OTHERS = (torch.randperm, torch.multinomial, torch.bernoulli)
_DROPPING = (
    F.dropout,
    F.dropout1d,
    F.dropout2d,
    F.dropout3d,
    F.alpha_dropout,
    F.feature_alpha_dropout,
)
_OTHER_LIBRARIES = (
    (np.random, ('choice', 'permutation', 'rand', 'randint', 'shuffle')),
    (random, ('choice', 'randint', 'random', 'sample', 'shuffle')),
)


@contextmanager
def same_draws() -> Iterator[None]:
    """Make draws of torch, NumPy and the standard library deterministic."""
    with ExitStack() as stack:
        stack.enter_context(_SameDraws())
        for module, names in _OTHER_LIBRARIES:
            for name in names:
                again = _seeded(getattr(module, name))
                stack.enter_context(patch.object(module, name, again))
        yield


class _SameDraws(TorchFunctionMode):
    def __torch_function__(
        self,
        func: Any,
        types: Any,
        args: tuple = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = dict(kwargs or {})
        if func in _DROPPING:
            return args[0]
        if func is F.multi_head_attention_forward:
            kwargs['training'] = False
        if func is F.scaled_dot_product_attention and 'dropout_p' in kwargs:
            kwargs['dropout_p'] = 0.0
        if func in _OTHERS:
            return _seeded(func)(*args, **kwargs)
        if func in _UNIFORM + _NORMAL + _INTEGERS:
            drawn = _seeded(func)(*args, **kwargs)
            return drawn.copy_(_rows(func, drawn, args, kwargs))
        return func(*args, **kwargs)


def _rows(func: Any, drawn: Tensor, args: tuple, kwargs: dict) -> Tensor:
    """The values of each row, a function of its shape."""
    generator = torch.Generator().manual_seed(0)
    shape = drawn.shape[1:]
    if func is torch.normal:
        return drawn[:1]
    if func in _NORMAL:
        return torch.randn(shape, generator=generator)
    row = torch.rand(shape, generator=generator)
    if func is Tensor.uniform_:
        low, high = (*args[1:], *kwargs.values(), 0.0, 1.0)[:2]
        return low + (high - low) * row
    if func in _INTEGERS:
        low, high = _limits(func, args, kwargs)
        return (low + (high - low) * row).floor()
    return row


def _limits(func: Any, args: tuple, kwargs: dict) -> tuple[int, int]:
    """Limits as ``torch.randint`` takes them, by position or keyword."""
    first = 0 if func is torch.randint else 1
    given = [value for value in args[first:] if isinstance(value, int)]
    given += [kwargs[key] for key in ('low', 'high') if key in kwargs]
    low, high = ([0, *given] if len(given) == 1 else given)[:2]
    return low, high


def _seeded(draw: Callable) -> Callable:
    """The same draw, seeded anew on each call."""

    def again(*args: Any, **kwargs: Any) -> Any:
        state = random_state()
        seed_all(0)
        try:
            return draw(*args, **kwargs)
        finally:
            set_random_state(state)

    return again


def seed_all(seed: int) -> None:
    """Seed all generators a model might draw from."""
    torch.manual_seed(seed)
    np.random.seed(seed)
    random.seed(seed)


def random_state() -> tuple:
    """The state of all generators a model might draw from."""
    return torch.get_rng_state(), np.random.get_state(), random.getstate()


def set_random_state(state: tuple) -> None:
    """Restore a random state."""
    torch.set_rng_state(state[0])
    np.random.set_state(state[1])
    random.setstate(state[2])


def same_state(ours: tuple, theirs: tuple) -> bool:
    """Whether the next draws would be the same."""
    return (
        torch.equal(ours[0], theirs[0])
        and all(map(np.array_equal, ours[1], theirs[1]))
        and ours[2] == theirs[2]
    )


@contextmanager
def repeatable() -> Iterator[None]:
    """Make plain steps repeatable; also works as a decorator.

    A reversible transformer seeds its layers anew by ``torch.seed`` in every
    step; a balanced sampler picks from a set of tensors, which is ordered by
    memory address.
    """
    with (
        patch('torch.seed', lambda: 0),
        patch.object(Tensor, '__hash__', _hash),
    ):
        yield


def _hash(tensor: Tensor) -> int:
    is_number = tensor.dim() == 0 and tensor.dtype == torch.int64
    return int(tensor) if is_number else id(tensor)
