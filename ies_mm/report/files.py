"""Reading JSON lines, and writing files all or nothing."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from ies_mm.errors import ConfigError


def json_lines(path: Path) -> list[dict[str, Any]]:
    """Read a file with one JSON object per line; empty without the file.

    A last line that was cut off, by a kill or because it is still being
    written, is skipped.

    Raises:
        ConfigError: Another line is not a JSON object.
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
            f'{path} is damaged: line {number} is not a JSON object; '
            'remove the line, or leave the run out'
        )
    return [found for found in objects if found is not None]


def write_files(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Write all of the files, or leave the folder's files as they are.

    Raises:
        ConfigError: The folder cannot be created or written to.
    """
    for name in contents:
        if (folder / name).is_dir():
            raise ConfigError(
                f'{folder / name} is a folder; name a file with --out'
            )
    # In the same folder, since a rename is atomic only within a file system.
    scratch = {folder / f'.{name}.tmp': folder / name for name in contents}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, content in zip(scratch, contents.values(), strict=True):
            path.write_bytes(content)
        # Only after all were written: a full disk leaves the old files alone.
        for path, final in scratch.items():
            path.replace(final)
    except OSError as error:
        _remove(*scratch)
        raise ConfigError(
            f'{folder} cannot be written to: {error.strerror}; '
            'name another folder with --out'
        ) from error


def append(path: Path, text: str) -> None:
    """Append all of the text, or leave the file as it is.

    Raises:
        OSError: The file cannot be written.
    """
    before = path.stat().st_size if path.exists() else 0
    try:
        with path.open('a') as file:
            file.write(text)
    except OSError:
        # json_lines skips a damaged line only if no other follows it.
        with suppress(OSError):
            os.truncate(path, before)
        raise


def replace(path: Path, content: bytes) -> None:
    """Write all of a file, or leave it as it is.

    Raises:
        OSError: The file cannot be written.
    """
    with written_whole(path) as file:
        file.write(content)


@contextmanager
def written_whole(path: Path) -> Iterator[BinaryIO]:
    """A file that replaces the one at ``path`` once it is complete.

    Raises:
        OSError: The file cannot be written.
    """
    scratch = path.with_suffix('.tmp')
    try:
        with scratch.open('wb') as file:
            yield file
    except OSError:
        scratch.unlink(missing_ok=True)
        raise
    scratch.replace(path)


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
        except OSError:  # the folder is a file, or is not writable
            return
