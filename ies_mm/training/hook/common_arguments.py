"""The arguments that all selection hooks take, and those of each."""

from collections.abc import Iterable
from inspect import signature

from ies_mm.spelling import did_you_mean

COMMON = (
    'keep_history', 'allow_batch_augments', 'fallback', 'observe', 'scoring',
)  # fmt: skip
"""The arguments of a ``SelectionHook`` besides its method."""


def taken_by(hook: type) -> list[str]:
    """Names of an object's arguments, with those that a hook passes on.

    Args:
        hook (type): Class of a selection hook, or of anything else.
    """
    parameters = signature(hook).parameters.values()
    own = [p.name for p in parameters if p.kind is not p.VAR_KEYWORD]
    passes_on = len(own) < len(parameters)
    return [*dict.fromkeys([*own, *(COMMON if passes_on else ())])]


def check_known(hook: type, names: Iterable[str]) -> None:
    """Reject arguments that a hook does not take.

    Args:
        hook (type): Class of a selection hook.
        names (iterable of str): What it was given beyond its own arguments.

    Raises:
        TypeError: Names the first one that is unknown, and all it takes.
    """
    for name in names:
        if name not in COMMON:
            raise TypeError(
                f'{hook.__name__} got an unexpected keyword argument {name!r};'
                f' it takes {", ".join(taken_by(hook))}'
                f'{did_you_mean(name, taken_by(hook))}'
            )
