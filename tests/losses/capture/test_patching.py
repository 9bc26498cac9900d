"""A method overridden on one object is restored afterwards."""

from collections.abc import Callable
from typing import Any

from ies_mm.losses.capture.patching import override


class Owner:
    def method(self) -> int:
        return 1


def one_more(original: Callable, *args: Any) -> Any:
    return original(*args) + 1


def test_somebody_else_may_take_it_away() -> None:
    """A hook that wraps one step deletes its own wrapper during it."""
    owner = Owner()
    with override(owner, 'method', one_more):
        assert owner.method() == 2
        del owner.method
    assert owner.method() == 1
    assert not vars(owner)


def test_what_the_object_had_itself_comes_back() -> None:
    owner = Owner()
    owner.method = lambda: 5  # type: ignore[method-assign]
    with override(owner, 'method', one_more):
        assert owner.method() == 6
        del owner.method
    assert owner.method() == 5
