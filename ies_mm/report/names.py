"""Images of the same file in several parts of a data set, told apart."""

import re
from pathlib import Path

_PART = re.compile(r' \[part \d+\]$')


def in_part(path: str, part: int) -> str:
    """How an image is called whose file several parts show.

    Args:
        path (str): Of the file.
        part (int): From 1.
    """
    return f'{path} [part {part}]'


def file_of(name: str) -> Path:
    """The file of an image, as :func:`in_part` or its path calls it."""
    path = Path(name)
    try:
        there = path.exists()
    except (OSError, ValueError):  # no name of a file at all
        there = False
    return path if there else Path(_PART.sub('', name))
