"""Distinct names for an image file that several dataset parts share."""

import re
from pathlib import Path

_PART = re.compile(r' \[part \d+\]$')


def in_part(path: str, part: int) -> str:
    """Name an image whose file is in several parts of a dataset.

    Args:
        path (str): Path of the file.
        part (int): Number of the part, from 1.
    """
    return f'{path} [part {part}]'


def file_of(name: str) -> Path:
    """The file of an image named by its path or by :func:`in_part`."""
    path = Path(name)
    try:
        there = path.exists()
    except (OSError, ValueError):  # not a valid file name
        there = False
    return path if there else Path(_PART.sub('', name))
