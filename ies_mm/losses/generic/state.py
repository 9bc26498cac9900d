"""What a module remembers between two calls of it."""

from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from torch import nn

from ies_mm.losses.generic.copies import GENERATORS, Copies, has_drawn
from ies_mm.losses.generic.parts import namespaces_of, parts_of

Space = MutableMapping[str, Any]


@dataclass(frozen=True)
class Kept:
    """What was kept in one place.

    Attributes:
        space (dict): Where values are kept by their names.
        values (dict): Those that it had, copied.
        changeable (tuple of str): Names of those that are copies.
    """

    space: Space
    values: dict[str, Any]
    changeable: tuple[str, ...]

    @classmethod
    def of(cls, space: Space, names: list[str], copies: Copies) -> 'Kept':
        """What a place has under some names."""
        values = {name: copies.of(space[name]) for name in names}
        changeable = [n for n in names if values[n] is not space[n]]
        return cls(space, values, tuple(changeable))

    def give_back(self, copies: Copies) -> None:
        """Put the values there again, those that may be changed as copies."""
        self.space.update(self.values)
        for name in self.changeable:
            self.space[name] = copies.of(self.values[name])


State = list[Kept]


def snapshot(module: nn.Module) -> State:
    """What a module and all in it remember, copied.

    That is attributes, buffers, and parameters without a gradient that the
    user's own modules hold. Samplers and assigners, which are no modules, may
    remember their calls too. What is copied, that is, what can be changed in
    place, see :mod:`ies_mm.losses.generic.copies`.
    """
    copies = Copies()
    return [
        Kept.of(space, names, copies)
        for part in parts_of(module)
        for space, names in namespaces_of(part)
    ]


def generators_that_drew(state: State) -> list[str]:
    """Names of the modules' own generators that have drawn since then."""
    return [
        name
        for kept in state
        for name in kept.changeable
        if isinstance(kept.values[name], GENERATORS)
        and isinstance(kept.space.get(name), GENERATORS)
        and has_drawn(kept.space[name], kept.values[name])
    ]


@contextmanager
def state_of(state: State) -> Iterator[None]:
    """Let modules start from an earlier state, and then have their own again.

    What is done in between is done on copies: the modules' own tensors, which
    a backward pass may wait for, are not touched.

    Args:
        state (list): From :func:`snapshot`; it may be used several times.
    """
    own = [(kept.space, dict(kept.space)) for kept in state]
    copies = Copies()
    for kept in state:
        kept.give_back(copies)
    try:
        yield
    finally:
        for space, before in own:
            for name in space.keys() - before.keys():
                del space[name]  # it was made in between
            space.update(before)
