"""Files that say which group an image belongs to."""

import csv
import json
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from ies_mm.errors import ConfigError


class GroupFile:
    """The groups of images, by path.

    A ``.json`` file is one object, path -> group. A ``.csv`` file has two
    columns, path and group, and no heading. A path may be a file's name, or
    as much of the end of its path as tells it apart.

    Args:
        path (str): Of the file.

    Raises:
        ConfigError: It cannot be read, or is neither.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._groups = _read(Path(path))

    def group_of(self, image: str) -> str:
        """The group of an image.

        Args:
            image (str): Its path, as the data set has it.

        Raises:
            ConfigError: The file does not name it.
        """
        parts = PurePosixPath(image).parts
        for first in range(len(parts)):
            name = str(PurePosixPath(*parts[first:]))
            if name in self._groups:
                return self._groups[name]
        raise ConfigError(
            f'{self._path} names no group of {image}; give each image of the '
            'evaluated data set one'
        )


def _read(path: Path) -> dict[str, str]:
    try:
        if path.suffix == '.json':
            return _from_json(path, json.loads(path.read_text()))
        if path.suffix == '.csv':
            return _from_csv(path)
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, 'strerror', None) or 'it is no text'
        raise ConfigError(
            f'groups={str(path)!r} cannot be read: {reason}'
        ) from error
    except ValueError as error:
        raise ConfigError(
            f'groups={str(path)!r} is no JSON file: {error}'
        ) from error
    raise ConfigError(
        f'groups={str(path)!r}: give a .json file, path -> group, or a .csv '
        'file of two columns, path and group'
    )


def _from_json(path: Path, content: Any) -> dict[str, str]:
    if not isinstance(content, Mapping) or any(
        isinstance(group, dict | list) or group is None
        for group in content.values()
    ):
        raise ConfigError(
            f'groups={str(path)!r} is to be one JSON object, path -> group'
        )
    return {name: str(group) for name, group in content.items()}


def _from_csv(path: Path) -> dict[str, str]:
    found = {}
    with path.open(newline='') as file:
        for number, row in enumerate(csv.reader(file), start=1):
            if len(row) != 2:
                raise ConfigError(
                    f'groups={str(path)!r}, line {number}: expected two '
                    f'columns, path and group, found {len(row)}'
                )
            found[row[0]] = row[1]
    return found
