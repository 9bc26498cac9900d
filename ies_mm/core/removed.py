"""Arguments of 0.1.0 that were removed or renamed."""

import warnings
from collections.abc import Iterable, Mapping
from typing import Any

from ies_mm.errors import ConfigError

GONE = {
    'average': 'mean', 'center': False, 'smooth': 1.0, 'expected': False,
    'fixed_refresh': False,
}  # fmt: skip
"""Removed arguments of IESHook, and their defaults."""

_SAME = 'it did not improve the criterion'
_NEVER = 'no measurement supported it'
_REASONS = {
    'average': _SAME,
    'center': _SAME,
    'smooth': _SAME,
    'expected': _SAME,
    'fixed_refresh': _NEVER,
    'NoiseFloor': _NEVER,
}


def check_no_denoised(arguments: Mapping[str, Any]) -> None:
    """Reject a history of centred or smoothed losses.

    Args:
        arguments (mapping): Those of the hook that wrote the checkpoint.

    Raises:
        ConfigError: The hook centred or smoothed its losses.
    """
    if arguments.get('center') or arguments.get('smooth', 1) != 1:
        raise ConfigError(
            'cannot resume: the checkpoint holds centred or smoothed losses '
            '(center, smooth), which ies_mm no longer supports; start over '
            'with load_from'
        )


def check_removed(place: str, names: Iterable[str]) -> None:
    """Reject removed names and give the reason.

    Args:
        place (str): Where the names were found, for the message.
        names (iterable of str): Names of arguments or types.

    Raises:
        TypeError: One of them was removed.
    """
    for name in names:
        if name in _REASONS:
            raise TypeError(
                f'{place}: {name} was removed in 0.2.0 because '
                f'{_REASONS[name]} (docs/results_archive.md, "Tried and '
                'removed"); remove it from the config'
            )


def renamed_scoring(
    place: str, scoring: dict[str, Any] | None, arguments: dict[str, Any]
) -> dict[str, Any] | None:
    """Move ``refresh_batch_size`` of 0.1.0 into ``scoring``, with a warning.

    Args:
        place (str): Where the arguments stand, for the warning.
        scoring (dict, optional): The argument ``scoring``.
        arguments (dict): Unknown arguments; the renamed one is taken out.
    """
    if 'refresh_batch_size' not in arguments:
        return scoring
    size = arguments.pop('refresh_batch_size')
    warnings.warn(
        f'{place}: refresh_batch_size is deprecated; write '
        f'scoring=dict(batch_size={size})',
        DeprecationWarning,
        # Points to the code that constructs the hook.
        stacklevel=3,
    )
    # If both are given, the present name wins.
    return {'batch_size': size, **(scoring or {})}
