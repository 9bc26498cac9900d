"""The program ``ies-mm`` and its shipped configs."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from mmengine.config import Config

import ies_mm
from ies_mm.commands import configs, program
from ies_mm.errors import ConfigError

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
Refused = Callable[..., str]


@pytest.fixture
def refused(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Refused:
    """The one-line error of a failing call."""
    monkeypatch.chdir(tmp_path)

    def call(*words: str) -> str:
        with pytest.raises(SystemExit) as left:
            program.main(words)
        assert left.value.code == 2
        [line] = capsys.readouterr().err.splitlines()
        return str(line)

    return call


def test_a_command_that_is_not_there(refused: Refused) -> None:
    assert refused('trian').startswith('ies-mm: error: ')
    assert refused() == (
        'ies-mm: error: the following arguments are required: COMMAND'
    )


@pytest.mark.parametrize('command', program.COMMANDS)
def test_every_command_has_help_under_its_name(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        program.main([command, '--help'])
    assert left.value.code == 0
    assert capsys.readouterr().out.startswith(f'usage: ies-mm {command} ')


def test_a_library_that_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError(
            "No module named 'mmengine'", name='mmengine'
        )

    monkeypatch.setattr(program, 'import_module', missing)
    assert program.main(['train', 'config.py']) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("ies-mm train: error: No module named 'mmengine'; ")


def test_the_configs_are_those_of_the_checkout(
    capsys: pytest.CaptureFixture[str],
) -> None:
    program.main(['configs'])
    lines = capsys.readouterr().out.splitlines()
    listed = {line.split()[0].removeprefix('ies_mm::') for line in lines}
    names = {str(p.relative_to(CONFIGS)) for p in CONFIGS.rglob('*.py')}
    assert listed == {name for name in names if not name.startswith('_base_')}
    assert {
        str(Path(ies_mm.config_path(name)).resolve()) for name in names
    } == {str(CONFIGS / name) for name in names}


def test_a_shipped_config_by_its_name(refused: Refused) -> None:
    """It is found from any folder; only its data is missing."""
    line = refused('train', 'ies_mm::ies_faster_rcnn_voc.py')
    assert 'looked for data/VOCdevkit/VOC2007/' in line
    line = refused('train', 'ies_mm::nothing.py')
    assert '`ies-mm configs` lists them' in line


def test_a_shipped_config_as_a_base(tmp_path: Path, refused: Refused) -> None:
    config = tmp_path / 'mine.py'
    base = "__import__('ies_mm').config_path('ies_faster_rcnn_voc.py')"
    config.write_text(f'_base_ = {base}\n')
    child = Config.fromfile(config)
    parent = Config.fromfile(CONFIGS / 'ies_faster_rcnn_voc.py')
    assert child.to_dict() == parent.to_dict()

    config.write_text("_base_ = 'ies_mm::ies_faster_rcnn_voc.py'\n")
    line = refused('train', 'mine.py')
    assert line.endswith(
        "write _base_ = __import__('ies_mm').config_path('NAME')"
    )
    with pytest.raises(ConfigError, match=r'no such config; [^;]* them$'):
        ies_mm.config_path('nothing.py')
    with pytest.raises(ConfigError, match='did you mean'):
        ies_mm.config_path('fastr_rcnn_voc.py')


def test_an_interrupted_command_shows_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(configs, 'main', interrupted)
    assert program.main(['configs']) == 130
    assert capsys.readouterr().err == 'ies-mm configs: interrupted\n'


def test_a_reader_may_leave() -> None:
    """As in ``ies-mm configs | head``: no traceback, a status of its own."""
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, '-m', 'ies_mm', 'configs'],
        stdout=writing, stderr=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, '')
