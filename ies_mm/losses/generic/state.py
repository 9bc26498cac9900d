"""The state that a module keeps between calls."""

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
    """A snapshot of one namespace.

    Attributes:
        space (dict): The namespace, names -> values.
        values (dict): Copies of its values at the time.
        changeable (tuple of str): Names of the values that were copied.
    """

    space: Space
    values: dict[str, Any]
    changeable: tuple[str, ...]

    @classmethod
    def of(cls, space: Space, names: list[str], copies: Copies) -> 'Kept':
        """Snapshot some names of a namespace."""
        values = {name: copies.of(space[name]) for name in names}
        changeable = [n for n in names if values[n] is not space[n]]
        return cls(space, values, tuple(changeable))

    def give_back(self, copies: Copies) -> None:
        """Restore the values, using fresh copies of the changeable ones."""
        self.space.update(self.values)
        for name in self.changeable:
            self.space[name] = copies.of(self.values[name])


State = list[Kept]


def snapshot(module: nn.Module) -> State:
    """Snapshot the state of a module and everything in it.

    Covers attributes, buffers, and frozen parameters of the user's own
    modules, also in objects that are not modules, such as samplers and
    assigners. Values that can be changed in place are copied, see
    :mod:`ies_mm.losses.generic.copies`.
    """
    # One for all parts, so that what they share stays shared.
    copies = Copies()
    return [
        Kept.of(space, names, copies)
        for part in parts_of(module)
        for space, names in namespaces_of(part)
    ]


def generators_that_drew(state: State) -> list[str]:
    """Names of the modules' own generators that drew since the snapshot."""
    return [
        name
        for kept in state
        for name in kept.changeable
        if isinstance(kept.values[name], GENERATORS)
        # The call may have replaced or removed the generator.
        and isinstance(kept.space.get(name), GENERATORS)
        and has_drawn(kept.space[name], kept.values[name])
    ]


@contextmanager
def state_of(state: State) -> Iterator[None]:
    """Put modules into an earlier state, and restore the present one on exit.

    Code in the context works on copies: the modules' own tensors, which a
    backward pass may still need, are not modified.

    Args:
        state (list): From :func:`snapshot`; may be used several times.
    """
    # Names are enough: code in the context has only copies to change.
    own = [(kept.space, dict(kept.space)) for kept in state]
    copies = Copies()
    for kept in state:
        kept.give_back(copies)
    try:
        yield
    finally:
        for space, before in own:
            for name in space.keys() - before.keys():
                del space[name]  # created in the context
            space.update(before)
