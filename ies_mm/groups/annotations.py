"""Files that assign images to groups."""

import csv
import json
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from ies_mm.errors import ConfigError

HEADER = ('path', 'group')


class GroupFile:
    """The groups of images, by path.

    A ``.json`` file is one object, path -> group. A ``.csv`` file has two
    columns, path and group, and no header. A path may be a file name, or any
    unambiguous trailing part of the path.

    Args:
        path (str): Path of the file.

    Raises:
        ConfigError: The file cannot be read, or has another format.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._groups = _read(Path(path))
        self._served: dict[str, str] = {}

    def group_of(self, image: str) -> str:
        """The group of an image.

        Args:
            image (str): Its path, as given by the dataset.

        Raises:
            ConfigError: The file does not list the image, or lists it by a
                name that another image has, too.
        """
        parts = PurePosixPath(image).parts
        # Longest first, since several folders may have a file of the same
        # name.
        for first in range(len(parts)):
            name = str(PurePosixPath(*parts[first:]))
            if name in self._groups:
                self._check_unique(name, image)
                return self._groups[name]
        raise ConfigError(
            f'{self._path} names no group for {image}; give every image of '
            'the evaluated dataset one'
        )

    def _check_unique(self, name: str, image: str) -> None:
        """Refuse a line that stands for two images.

        Raises:
            ConfigError: It does.
        """
        other = self._served.setdefault(name, image)
        if other != image:
            raise ConfigError(
                f'{self._path} has {name}, which may be {other} or {image}; '
                'give paths that tell them apart'
            )


def _read(path: Path) -> dict[str, str]:
    try:
        if path.suffix == '.json':
            return _from_json(path, json.loads(_text_of(path)))
        if path.suffix == '.csv':
            return _from_csv(path)
    except ConfigError:  # a ValueError, too, with its own words
        raise
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, 'strerror', None) or 'it is not text'
        raise ConfigError(
            f'groups={str(path)!r} cannot be read: {reason}'
        ) from error
    except ValueError as error:
        raise ConfigError(
            f'groups={str(path)!r} is not a JSON file: {error}'
        ) from error
    raise ConfigError(
        f'groups={str(path)!r}: give a .json file, path -> group, or a .csv '
        'file with two columns, path and group'
    )


def _text_of(path: Path) -> str:
    # Some editors begin a UTF-8 file with a byte order mark.
    return path.read_text(encoding='utf-8-sig')


def _from_json(path: Path, content: Any) -> dict[str, str]:
    if not isinstance(content, Mapping) or any(
        isinstance(group, dict | list) or group is None
        for group in content.values()
    ):
        raise ConfigError(
            f'groups={str(path)!r} must be one JSON object, path -> group'
        )
    return {_path(name): str(group) for name, group in content.items()}


def _from_csv(path: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    # Excel begins a UTF-8 file with a byte order mark.
    with path.open(newline='', encoding='utf-8-sig') as file:
        for number, row in enumerate(csv.reader(file), start=1):
            if not row:
                continue
            if len(row) != 2:
                raise ConfigError(
                    f'groups={str(path)!r}, line {number}: expected two '
                    f'columns, path and group, found {len(row)}'
                )
            name, group = _path(row[0]), row[1].strip()
            if number == 1 and (name, group) == HEADER:
                raise ConfigError(
                    f'groups={str(path)!r}, line 1: found a header, '
                    f'{",".join(row)}; remove it'
                )
            if found.setdefault(name, group) != group:
                raise ConfigError(
                    f'groups={str(path)!r}, line {number}: {name} is in '
                    f'{found[name]} and in {group}; give it one group'
                )
    return found


def _path(name: str) -> str:
    """A path as :meth:`GroupFile.group_of` spells it."""
    return str(PurePosixPath(name.strip()))
