"""Checks and conversions of values read from files."""

import math
from typing import Any, TypeGuard

from ies_mm.core.arguments import LARGEST


def is_count(value: Any) -> TypeGuard[int]:
    """Whether this is an integer from 0 to 2**53."""
    number = isinstance(value, int) and not isinstance(value, bool)
    return number and 0 <= value <= LARGEST


def is_number(value: Any) -> TypeGuard[float]:
    """Whether this is a number that a float holds, finite or not."""
    return isinstance(value, float) or (
        isinstance(value, int) and abs(value) <= LARGEST
    )


def finite(value: Any) -> Any:
    """Replace NaN and infinity, which JSON does not have, with None."""
    if isinstance(value, dict):
        return {key: finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [finite(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def printable(text: str) -> str:
    """Escape characters that can be neither printed nor drawn."""
    return ''.join(
        letter
        if letter.isprintable()
        else letter.encode('unicode_escape').decode()
        for letter in text
    )
