"""Access to the modules of tools/coverage.py."""

import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

TOOLS = Path(__file__).resolve().parents[2] / 'tools'


@pytest.fixture(scope='module')
def tool() -> Iterator[Callable[[str], ModuleType]]:
    """Imports a module of the tool by its name."""
    sys.path.append(str(TOOLS))
    yield lambda part: import_module(f'coverage_checks.{part}')
    sys.path.remove(str(TOOLS))


@pytest.fixture
def family(tool: Any) -> Callable[[str, str], Any]:
    def find(library: str, name: str) -> Any:
        rows = tool('listed').families(library)
        return next(row for row in rows if row.name == name)

    return find
