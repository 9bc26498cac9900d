"""Adapters provided by other libraries through entry points."""

import importlib
import sys
from functools import cache
from importlib.metadata import EntryPoint, entry_points

from ies_mm.errors import ConfigError

GROUP = 'ies_mm.adapters'
"""Entry-point group; each entry is ``name = package.module``."""


def load_plugins() -> None:
    """Import the modules that installed distributions declare, once.

    A module registers its adapters on import.

    Raises:
        ConfigError: A module cannot be imported; names its distribution.
    """
    # Called at every step, so cached. An import may extend sys.path.
    _load_from(tuple(sys.path))


@cache
def _load_from(path: tuple[str, ...]) -> None:
    for point in entry_points(group=GROUP):
        try:
            importlib.import_module(point.module)
        except Exception as error:
            raise ConfigError(
                f'{_distribution(point)} brings adapters for ies_mm (entry '
                f'point {GROUP}: {point.name} = {point.value}), which cannot '
                f'be imported: {_in_a_line(error)}; fix or uninstall it'
            ) from error


def _distribution(point: EntryPoint) -> str:
    found = point.dist
    return f'{found.name} {found.version}' if found else point.module


def _in_a_line(error: Exception) -> str:
    text = ' '.join(str(error).split())
    return f'{type(error).__name__}: {text}' if text else type(error).__name__
