"""Config paths are relative to the project's folder."""

import pytest

from read_configs import CONFIGS


@pytest.fixture(autouse=True)
def in_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(CONFIGS.parent)
