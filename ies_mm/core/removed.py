"""What 0.1.0 had and measurements spoke against."""

from collections.abc import Iterable, Mapping
from typing import Any

from ies_mm.errors import ConfigError

GONE = {
    'average': 'mean', 'center': False, 'smooth': 1.0, 'expected': False,
    'fixed_refresh': False,
}  # fmt: skip
"""Arguments of IESHook, and what they were by default."""

_SAME = 'it did not improve the criterion'
_NEVER = 'no measurement spoke for it'
_REASONS = {
    'average': _SAME,
    'center': _SAME,
    'smooth': _SAME,
    'expected': _SAME,
    'fixed_refresh': _NEVER,
    'NoiseFloor': _NEVER,
}


def check_no_denoised(arguments: Mapping[str, Any]) -> None:
    """Refuse a history of losses that were centred or smoothed.

    Args:
        arguments (mapping): Of the hook that wrote a checkpoint.

    Raises:
        ConfigError: It was told to.
    """
    if arguments.get('center') or arguments.get('smooth', 1) != 1:
        raise ConfigError(
            'cannot resume: the checkpoint holds centred or smoothed losses '
            '(center, smooth), which ies_mm no longer compares; start anew '
            'with load_from'
        )


def check_removed(place: str, names: Iterable[str]) -> None:
    """Refuse what is no longer there, with the reason.

    Args:
        place (str): Where the names stand, for the message.
        names (iterable of str): Of arguments or types.

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
