"""The command tools/paper.py, and bad input."""

import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from commands import call

ROOT = Path(__file__).resolve().parents[3]
TOOL = ROOT / 'tools' / 'paper.py'
FIGURES = tuple(f'figure{number}' for number in range(1, 8))


@pytest.fixture
def command(
    part: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Callable[..., tuple[int, str, str]]:
    """Run the tool in this process, since starting it takes seconds."""

    def run(*arguments: Any, device: str = 'cpu') -> tuple[int, str, str]:
        tool = import_module('paper')
        monkeypatch.setattr(tool, 'get_device', lambda: device)
        monkeypatch.setattr(sys, 'argv', ['paper', *map(str, arguments)])
        status = 0
        try:
            tool.main()
        except SystemExit as end:
            status = int(end.code or 0)
        found = capsys.readouterr()
        return status, found.out, found.err

    return run


def test_list(command: Any, tmp_path: Path) -> None:
    status, output, _ = command('list', '--out', tmp_path / 'out')
    assert status == 0
    lines = output.splitlines()
    assert [line.split(':')[0] for line in lines[1:]] == [
        *FIGURES,
        *(f'table{number}' for number in range(1, 15)),
    ]
    assert lines[9].endswith("only at the paper's scale: ImageNet")
    assert '1 training, 0 of them done' in lines[3]
    assert not (tmp_path / 'out').exists()


def test_no_such_figure_as_a_user_sees_it(tmp_path: Path) -> None:
    result = call(TOOL, 'figure8', '--out', tmp_path / 'out')
    assert result.returncode == 2
    [line] = result.stderr.splitlines()
    assert "argument NAME: invalid choice: 'figure8'" in line


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['table2'], 'table2 has no small setting: ImageNet; give --scale'),
        (['figure1', '--data', 'none'], 'there is no such folder or archive'),
        (['figure1', '--data', '.'], 'needs train/<class>/*.jpg'),
        (['figure1', '--data', 'text.jpg'], 'neither as a folder nor as a'),
        (['figure3', '--scale', 'paper'], 'needs an accelerator'),
        (['figure3', '--scale', 'large'], "invalid choice: 'large'"),
        (['figure3', '--jobs', '0'], 'give an integer >= 1'),
    ],
)
def test_bad_input_is_one_line(
    command: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path('text.jpg').write_text('no picture')
    status, _, errors = command(*arguments, '--out', 'out')
    assert status == 2
    [line] = errors.splitlines()
    assert message in line
    assert not Path('out').exists()


def test_a_folder_of_data_sets_that_is_not_there(
    command: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = ('--data', tmp_path / 'none', '--out', tmp_path / 'out')
    _, _, errors = command('figure3', '--scale', 'paper', *data, device='gpu')
    [line] = errors.splitlines()
    assert 'there is no such folder; give one with cifar10/' in line


def test_runs_of_another_setting_are_one_line(
    command: Any, images: Path, tmp_path: Path
) -> None:
    out = tmp_path / 'out'
    folder = out / 'small' / 'runs' / 'cifar10_sgd_e' / 'dry' / 'seed0'
    folder.mkdir(parents=True)
    (folder / 'trained_to_the_end').write_text('_base_ = "other.py"')
    status, _, errors = command('figure3', '--out', out, '--data', images)
    assert status == 2
    [line] = errors.splitlines()
    assert 'was trained with other settings (_base_ = "other.py"; now' in line
    assert not (out / 'small' / 'figure3.png').exists()
