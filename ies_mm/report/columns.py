"""Aligned columns of a text table."""

from collections.abc import Sequence


def widths_of(rows: Sequence[Sequence[str]]) -> list[int]:
    """The width of each column."""
    return [max(map(len, column)) for column in zip(*rows, strict=True)]


def line(texts: Sequence[str], widths: Sequence[int]) -> str:
    """A row, its first column on the left, the others on the right."""
    pairs = zip(texts[1:], widths[1:], strict=True)
    right = [text.rjust(width) for text, width in pairs]
    return '  '.join([texts[0].ljust(widths[0]), *right])
