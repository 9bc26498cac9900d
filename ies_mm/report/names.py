"""Distinct names for instances of a dataset that share an image file."""

import re
from pathlib import Path

_OF_SEVERAL = re.compile(r'( \[part \d+\])?( \[copy \d+\])?$')


def in_part(path: str, part: int) -> str:
    """Name an image whose file is in several parts of a dataset.

    Args:
        path (str): Path of the file.
        part (int): Number of the part, from 1.
    """
    return f'{path} [part {part}]'


def of_copy(name: str, copy: int) -> str:
    """Name an image whose file a part of a dataset lists several times.

    Args:
        name (str): Name of the first one.
        copy (int): Number of the copy, from 1, which keeps that name.
    """
    return name if copy == 1 else f'{name} [copy {copy}]'


def file_of(name: str) -> Path:
    """The file of an image named by its path or by the functions above."""
    path = Path(name)
    try:
        there = path.exists()
    except (OSError, ValueError):  # not a valid file name
        there = False
    return path if there else Path(_OF_SEVERAL.sub('', name))
