"""Argument checks whose errors say what was found and what to give."""

import math
from collections.abc import Mapping
from inspect import signature
from typing import Any, TypeVar

from ies_mm.spelling import did_you_mean

Built = TypeVar('Built')

LARGEST = 2**53
"""Up to here, every integer is exactly representable as a float."""


def check_number(
    name: str, value: float, low: float, high: float = math.inf
) -> None:
    """Check that a value is a finite number from ``low`` to ``high``.

    Raises:
        TypeError: Not a number.
        ValueError: Out of range, infinite or NaN.
    """
    _check_is_number(name, value)
    if not (math.isfinite(value) and low <= value <= high):
        percent = _percent(value) if high <= 1 else ''
        raise ValueError(
            f'{name}={value}: give a number {_span(low, high)}{percent}'
        )


def check_ratio(name: str, value: float) -> None:
    """Check that a value is a number in [0, 1).

    Raises:
        TypeError: Not a number.
        ValueError: Out of range, infinite or NaN.
    """
    _check_is_number(name, value)
    if not 0 <= value < 1:
        raise ValueError(
            f'{name}={value}: give a number from 0 to below 1{_percent(value)}'
        )


def check_flag(name: str, value: bool) -> None:
    """Check that a value is True or False.

    Raises:
        TypeError: It is neither.
    """
    if not isinstance(value, bool):
        raise TypeError(f'{name}={value!r}: give True or False')


def check_integer(
    name: str, value: int, low: int, high: float = math.inf
) -> None:
    """Check that a value is an integer from ``low`` to ``high``.

    Raises:
        TypeError: Not an integer.
        ValueError: Out of range, or beyond 2**53.
    """
    # A bool is an int to Python, so window=True would pass as 1.
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f'{name}={value!r}: give an integer')
    _check_size(name, value)
    if not low <= value <= high:
        raise ValueError(f'{name}={value}: give an integer {_span(low, high)}')


def check_is_no_text(name: str, value: object, example: str) -> None:
    """Reject the text that a command line turns a dict into.

    Args:
        name (str): Name of the argument.
        value (object): The value given for it.
        example (str): A ``type`` it accepts and one argument of that type.

    Raises:
        TypeError: The value is a string, list or tuple.
    """
    # MMEngine's DictAction makes a list of a value with commas, and a tuple of
    # one in parentheses.
    if isinstance(value, str | list | tuple):
        settings = ' '.join(
            f'{name}.{part}' for part in ('_delete_=True', *example.split())
        )
        raise TypeError(
            f'{name}={value!r}: give a number or a dict; with --cfg-options a '
            f'dict is given key by key, as in {settings}, each prefixed with '
            'the key of the hook'
        )


def build_of_type(
    name: str, value: dict[str, Any], types: Mapping[str, type[Built]]
) -> Built:
    """Build the object that a config dict describes.

    Args:
        name (str): Name of the argument.
        value (dict): A key of ``types`` as ``type``, and the arguments.
        types (mapping): Name -> class.

    Raises:
        TypeError: An argument is unknown or of the wrong type.
        ValueError: There is no such type, or an argument is out of range.
    """
    # A copy: checkpoints hold the dict, and thresholds are built from it again
    # and again.
    arguments = dict(value)
    chosen = arguments.pop('type', None)
    if not isinstance(chosen, str) or chosen not in types:
        raise ValueError(
            f'{name}=dict(type={chosen!r}): give a number, or the type '
            f'{", ".join(map(repr, types))}{did_you_mean(str(chosen), types)}'
        )
    takes = signature(types[chosen]).parameters
    unknown = [key for key in arguments if key not in takes]
    missing = [
        key
        for key, parameter in takes.items()
        if parameter.default is parameter.empty and key not in arguments
    ]
    if unknown or missing:
        what = 'has no argument' if unknown else 'needs'
        raise TypeError(
            f'{name}: {chosen} {what} {(unknown + missing)[0]!r}; {chosen} '
            f'takes {", ".join(takes)}. _delete_=True in its dict drops the '
            "base's arguments"
        )
    return types[chosen](**arguments)


def _check_is_number(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f'{name}={value!r}: give a number')
    # math.isfinite raises OverflowError for an int that no float can hold.
    if isinstance(value, int):
        _check_size(name, value)


def _check_size(name: str, value: int) -> None:
    """Reject integers beyond 2**53, which floats do not hold exactly."""
    if abs(value) > LARGEST:
        raise ValueError(f'{name} is beyond 2**53: give a smaller number')


def _percent(value: float) -> str:
    """The share that a percentage was meant as; empty if it is none."""
    return f'; {value:g}% is {value / 100:g}' if 1 < value < 100 else ''


def _span(low: float, high: float) -> str:
    return f'>= {low}' if high == math.inf else f'from {low} to {high}'
