"""Files that are read line by line, and files that are written whole."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ies_mm.errors import ConfigError


def json_lines(path: Path) -> list[dict[str, Any]]:
    """The objects of a file with one on each line; none without the file.

    A last line that was cut off, by a kill or because it is being written, is
    left out.

    Raises:
        ConfigError: Another line is no JSON object.
    """
    if not path.exists():
        return []
    texts = path.read_text(errors='replace').splitlines()
    objects = [_object(text) for text in texts]
    if objects and objects[-1] is None:
        del objects[-1]
    if None in objects:
        number = objects.index(None) + 1
        raise ConfigError(
            f'{path} is damaged: line {number} is no JSON object; '
            'take the line out, or leave the run out'
        )
    return [found for found in objects if found is not None]


def write_files(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Write all of the files, or leave the folder's files as they are.

    Raises:
        ConfigError: The folder cannot be made or written to.
    """
    scratch = {folder / f'.{name}.tmp': folder / name for name in contents}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, content in zip(scratch, contents.values(), strict=True):
            path.write_bytes(content)
        for path, final in scratch.items():
            path.replace(final)
    except OSError as error:
        _remove(*scratch)
        raise ConfigError(
            f'{folder} cannot be written to: {error.strerror}; '
            'name another folder with --out'
        ) from error


def _object(text: str) -> dict[str, Any] | None:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _remove(*paths: Path) -> None:
    for path in paths:
        try:
            path.unlink(missing_ok=True)
        except OSError:  # the folder is a file, or not ours to change
            return
