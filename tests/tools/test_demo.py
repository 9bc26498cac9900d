"""The demo's trainings, without running them."""

from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config

from ies_mm.commands import demo
from ies_mm.configuring.method_option import method_names

ROOT = Path(__file__).resolve().parents[2]


class NoTraining:
    """Stands in for subprocess and records what would be called."""

    calls: list[list[str]] = []

    def __init__(self, command: list[str], **options: Any) -> None:
        self.calls.append(command)
        self.returncode = 0

    def __enter__(self) -> 'NoTraining':
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def poll(self) -> int | None:
        return 0


@pytest.fixture
def commands(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> list[list[str]]:
    """The commands of the trainings."""
    monkeypatch.setattr(demo, 'WORK', tmp_path)
    monkeypatch.setattr(demo, 'make_data', lambda images: None)
    monkeypatch.setattr(demo, 'compare', lambda runs, out: runs)
    monkeypatch.setattr(demo, 'table', lambda runs: '')
    monkeypatch.setattr(demo.subprocess, 'Popen', NoTraining)
    NoTraining.calls.clear()
    demo.main(['--seed', '3'])
    return NoTraining.calls


def test_seven_trainings_of_one_seed(commands: list[list[str]]) -> None:
    assert len(commands) == 7
    for command in commands:
        assert command[1:4] == ['-m', 'ies_mm', 'train']
        assert 'randomness.seed=3' in command
        assert Config.fromfile(command[4]).train_cfg.max_epochs == 20


def test_the_methods_are_there(commands: list[list[str]]) -> None:
    known = method_names(ROOT / 'configs' / '_base_' / 'methods')
    methods = [
        command[command.index('--method') + 1]
        for command in commands
        if '--method' in command
    ]
    assert methods == [
        'ies_spaced', 'infobatch', 'random_removal', 'random_passes'
    ]  # fmt: skip
    assert {*methods} <= {*known}
    [short] = [command for command in commands if '--length' in command]
    assert short[4] == commands[0][4], 'the plain config'
    assert short[short.index('--length') + 1] == '0.8'


def test_an_interrupted_demo_stops_its_training(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    killed = []

    class Interrupted(NoTraining):
        def poll(self) -> int | None:
            raise KeyboardInterrupt

        def kill(self) -> None:
            killed.append(self)

    monkeypatch.setattr(demo, 'WORK', tmp_path)
    monkeypatch.setattr(demo.subprocess, 'Popen', Interrupted)
    with pytest.raises(KeyboardInterrupt):
        demo.train('plain', 'config.py')
    assert killed
