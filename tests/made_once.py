"""Folders that are expensive to make, shared by the test processes."""

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

import pytest

MADE = 'made'


def made_once(
    factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]
) -> Path:
    """A folder that whichever test process comes first fills.

    A module's fixtures are otherwise made again in each process of
    pytest-xdist that takes one of its tests.
    """
    root = factory.getbasetemp()
    if 'PYTEST_XDIST_WORKER' in os.environ:
        root = root.parent
    folder = root / name
    with (root / f'{name}.lock').open('w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / MADE).exists():
            folder.mkdir(exist_ok=True)
            make(folder)
            (folder / MADE).touch()
    return folder
