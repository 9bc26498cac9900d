"""Images for the small trainings of a classifier and of a segmentor."""

from pathlib import Path

import pytest

from iteration_runs import IMAGES
from task_runs import make_folders, make_maps


@pytest.fixture(scope='module')
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_folders(tmp_path_factory.mktemp('folders'), IMAGES)


@pytest.fixture(scope='module')
def maps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_maps(tmp_path_factory.mktemp('maps'), 10)
