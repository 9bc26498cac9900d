"""Checks of arguments that say what was found and what to give."""

import math


def check_number(
    name: str, value: float, low: float, high: float = math.inf
) -> None:
    """Refuse what is not a finite number from ``low`` to ``high``.

    Raises:
        TypeError: Not a number.
        ValueError: Out of range, infinite or NaN.
    """
    _check_is_number(name, value)
    if not (math.isfinite(value) and low <= value <= high):
        raise ValueError(f'{name}={value}: give a number {_span(low, high)}')


def check_ratio(name: str, value: float) -> None:
    """Refuse what is not a number from 0 to below 1.

    Raises:
        TypeError: Not a number.
        ValueError: Out of range, infinite or NaN.
    """
    _check_is_number(name, value)
    if not 0 <= value < 1:
        raise ValueError(f'{name}={value}: give a number from 0 to below 1')


def check_flag(name: str, value: bool) -> None:
    """Refuse what is neither True nor False.

    Raises:
        TypeError: Something else.
    """
    if not isinstance(value, bool):
        raise TypeError(f'{name}={value!r}: give True or False')


def check_integer(
    name: str, value: int, low: int, high: float = math.inf
) -> None:
    """Refuse what is not an integer from ``low`` to ``high``.

    Raises:
        TypeError: Not an integer.
        ValueError: Out of range.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f'{name}={value!r}: give an integer')
    if not low <= value <= high:
        raise ValueError(f'{name}={value}: give an integer {_span(low, high)}')


def _check_is_number(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f'{name}={value!r}: give a number')


def _span(low: float, high: float) -> str:
    return f'>= {low}' if high == math.inf else f'from {low} to {high}'
