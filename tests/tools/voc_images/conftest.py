"""A generated VOCdevkit, and the module that composes its scenes."""

import importlib
from pathlib import Path
from types import ModuleType

import pytest

from voc_files import IMAGES, run


@pytest.fixture(scope='session')
def devkit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp('voc')
    done = run(out, '--images', IMAGES, '--seed', 3)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in out.iterdir()] == ['VOCdevkit']
    return out / 'VOCdevkit'


@pytest.fixture
def scenes() -> ModuleType:
    return importlib.import_module('ies_mm.commands.voc_images.scenes')
