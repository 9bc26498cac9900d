"""Methods overridden on one object, for a while."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial, update_wrapper
from typing import Any


@contextmanager
def override(
    owner: Any, method: str, replacement: Callable[..., Any]
) -> Iterator[None]:
    """Replace ``owner.method`` while the context is open.

    The class and other objects of it are left alone. What the object had
    before, a bound method of its class or an attribute of its own, is there
    again afterwards, also after an exception.

    Args:
        owner (Any): The object.
        method (str): Name of the method.
        replacement (callable): Called as ``replacement(original, *args,
            **kwargs)``.
    """
    own = vars(owner).get(method)
    original = getattr(owner, method)
    # Name and signature stay readable for whoever wraps this in turn.
    vars(owner)[method] = update_wrapper(
        partial(replacement, original), original
    )
    try:
        yield
    finally:
        if own is None:
            # Somebody else may have taken it away.
            vars(owner).pop(method, None)
        else:
            vars(owner)[method] = own
