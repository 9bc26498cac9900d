"""Refusals before anything is downloaded."""

import runpy
import sys
from collections import namedtuple
from pathlib import Path
from types import ModuleType

import pytest

from commands import error_line
from voc_server import Server

pytest.importorskip('torchvision')
TOOLS = Path(__file__).resolve().parents[3] / 'tools'
Usage = namedtuple('Usage', 'total used free')


def test_other_data_is_left_alone(
    tool: ModuleType,
    server: Server,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    mine = tmp_path / 'VOCdevkit/VOC2007/mine.txt'
    mine.parent.mkdir(parents=True)
    mine.write_text('mine')
    assert tool.main(['2007', '--root', str(tmp_path)]) == 1
    assert 'not touched' in error_line(capsys)
    assert mine.read_text() == 'mine'
    assert server.sent == []


def test_too_little_space(
    tool: ModuleType,
    server: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(tool.NEEDED_GB, '2012', 6.0)
    monkeypatch.setattr(
        tool.shutil, 'disk_usage', lambda path: Usage(0, 0, 2_500_000_000)
    )
    assert tool.main(['2012', '--root', str(tmp_path)]) == 1
    line = error_line(capsys)
    assert '6.0 GB needed, 2.5 GB free' in line
    assert server.sent == []


@pytest.mark.parametrize(
    ('args', 'word'),
    [
        (['2010'], '2010'),
        ([], 'year'),
        (['2007', '--color'], '--color'),
    ],
)
def test_bad_arguments(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    args: list[str],
    word: str,
) -> None:
    monkeypatch.syspath_prepend(str(TOOLS))
    monkeypatch.setattr(sys, 'argv', ['get_voc.py', *args])
    with pytest.raises(SystemExit) as stop:
        runpy.run_path(str(TOOLS / 'get_voc.py'), run_name='__main__')
    assert stop.value.code == 2
    assert word in error_line(capsys)
