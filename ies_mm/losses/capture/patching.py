"""Temporary method overrides on a single object."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial, update_wrapper
from typing import Any

import torch


@contextmanager
def override(
    owner: Any, method: str, replacement: Callable[..., Any]
) -> Iterator[None]:
    """Replace ``owner.method`` while the context is open.

    Its class and other instances are unaffected. What the object had before,
    a method of its class or an instance attribute, is restored on exit, even
    after an exception.

    Args:
        owner (Any): The object.
        method (str): Name of the method.
        replacement (callable): Called as ``replacement(original, *args,
            **kwargs)``.
    """
    own = vars(owner).get(method)
    original = getattr(owner, method)
    # Keep name and signature for code that wraps this in turn.
    vars(owner)[method] = update_wrapper(
        partial(replacement, original), original
    )
    try:
        yield
    finally:
        if own is None:
            # Other code may have removed it.
            vars(owner).pop(method, None)
        else:
            vars(owner)[method] = own


def uncompiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Keep ``torch.compile`` out of a function and of what it calls.

    Its tracer cannot follow tensors that know whose rows they are.
    """
    # Otherwise nothing is compiled, and the import would take a second.
    if 'torch._dynamo' not in sys.modules:
        return function
    return torch.compiler.disable(function)
