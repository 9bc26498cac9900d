"""Suggestions for misspelt names."""

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Ask whether the known name most like a misspelt one was meant.

    Args:
        name (str): The misspelt name.
        known (iterable of str): The names there are.

    Returns:
        str: As ``"; did you mean 'IESHook'?"``; empty if none is alike.
    """
    alike = get_close_matches(name, known, n=1)
    return f'; did you mean {alike[0]!r}?' if alike else ''
