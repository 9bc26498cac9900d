"""What is downloaded, and how downloads resume."""

import sys
from pathlib import Path
from types import ModuleType

import pytest

from commands import error_line
from voc_server import PAYLOAD, Server

pytest.importorskip('torchvision')


def test_fetches_both_archives_of_2007(
    tool: ModuleType,
    server: Server,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    root = tmp_path / 'new' / 'data'
    assert tool.main(['2007', '--root', str(root)]) == 0
    pictures = root / 'VOCdevkit/VOC2007/JPEGImages'
    assert sorted(path.name for path in pictures.iterdir()) == [
        '000001.jpg',
        '000002.jpg',
        '000003.jpg',
    ]
    assert (pictures / '000003.jpg').read_bytes() == PAYLOAD
    assert sorted(path.name for path in root.iterdir()) == [
        '2007-test.tar',
        '2007.tar',
        'VOCdevkit',
    ]
    out = capsys.readouterr().out
    assert '2 trainval images' in out
    assert '1 test images' in out


def test_second_call_does_nothing(
    tool: ModuleType,
    server: Server,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert tool.main(['2012', '--root', str(tmp_path)]) == 0
    (tmp_path / '2012.tar').unlink()
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob('*')}
    server.sent.clear()
    capsys.readouterr()
    assert tool.main(['2012', '--root', str(tmp_path)]) == 0
    assert 'nothing to do' in capsys.readouterr().out
    assert server.sent == []
    assert {p: p.stat().st_mtime_ns for p in tmp_path.rglob('*')} == before


def test_years_lie_side_by_side(tool: ModuleType, tmp_path: Path) -> None:
    for year in ('2012', '2007'):
        assert tool.main([year, '--root', str(tmp_path)]) == 0
    found = sorted(path.name for path in (tmp_path / 'VOCdevkit').iterdir())
    assert found == ['VOC2007', 'VOC2012']


def test_broken_connection_continues(
    tool: ModuleType,
    server: Server,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    whole = len(server.content['/2012.tar'])
    server.cut = 600_000
    assert tool.main(['2012', '--root', str(tmp_path)]) == 1
    assert 'run again to continue' in error_line(capsys)
    part = tmp_path / '2012.tar.part'
    assert part.stat().st_size == 600_000
    assert not (tmp_path / 'VOCdevkit').exists()
    assert tool.main(['2012', '--root', str(tmp_path)]) == 0
    assert server.sent == [
        ('/2012.tar', None, 600_000),
        ('/2012.tar', 'bytes=600000-', whole - 600_000),
    ]
    assert not part.exists()


def test_server_without_ranges_starts_anew(
    tool: ModuleType, server: Server, tmp_path: Path
) -> None:
    server.ranges = False
    (tmp_path / '2012.tar.part').write_bytes(b'x' * 1000)
    assert tool.main(['2012', '--root', str(tmp_path)]) == 0
    whole = len(server.content['/2012.tar'])
    assert server.sent == [('/2012.tar', 'bytes=1000-', whole)]


def test_complete_part_is_used(
    tool: ModuleType, server: Server, tmp_path: Path
) -> None:
    data = server.content['/2012.tar']
    (tmp_path / '2012.tar.part').write_bytes(data)
    assert tool.main(['2012', '--root', str(tmp_path)]) == 0
    assert server.sent == []


def test_progress_on_a_terminal(
    tool: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys.stderr, 'isatty', lambda: True)
    assert tool.main(['2012', '--root', str(tmp_path)]) == 0
    assert '2012.tar: 100%' in capsys.readouterr().err


def test_no_network(
    tool: ModuleType,
    server: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    entry = dict(tool.DATASET_YEAR_DICT['2012'], url='http://127.0.0.1:1/x')
    monkeypatch.setitem(tool.DATASET_YEAR_DICT, '2012', entry)
    assert tool.main(['2012', '--root', str(tmp_path)]) == 1
    assert 'cannot download http://127.0.0.1:1/x' in error_line(capsys)
    assert list(tmp_path.iterdir()) == []


def test_missing_on_the_server(
    tool: ModuleType,
    server: Server,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    server.content.clear()
    assert tool.main(['2012', '--root', str(tmp_path)]) == 1
    assert '404' in error_line(capsys)
