"""Fetches small archives from a server of its own."""

from __future__ import annotations

import hashlib
import importlib
import io
import runpy
import sys
import tarfile
import threading
from collections import namedtuple
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType

import pytest

pytest.importorskip('torchvision')
TOOLS = Path(__file__).resolve().parents[2] / 'tools'
PAYLOAD = bytes(range(256)) * 4000
Usage = namedtuple('Usage', 'total used free')


def voc_tar(year: str, split: str, names: list[str]) -> bytes:
    """An archive with the folders of VOC."""
    base = f'VOCdevkit/VOC{year}'
    content = {
        f'{base}/ImageSets/Main/{split}.txt': '\n'.join(names).encode(),
        **{f'{base}/JPEGImages/{name}.jpg': PAYLOAD for name in names},
    }
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode='w') as tar:
        for name, data in content.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


class Server(ThreadingHTTPServer):
    """Serves `content`; keeps the path, Range and bytes sent of answers."""

    content: dict[str, bytes]
    sent: list[tuple[str, str | None, int]]
    cut: int | None = None  # the next answer breaks off after so many bytes
    ranges = True


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        data = self.server.content.get(self.path)
        if data is None:
            self.send_error(404)
            return
        header = self.headers.get('Range')
        asked = header if self.server.ranges else None
        start = int(asked[6:].rstrip('-')) if asked else 0
        if start >= len(data):
            self.send_error(416)
            return
        body = data[start:]
        self.send_response(206 if asked else 200)
        self.send_header('Content-Length', str(len(body)))
        if asked:
            place = f'bytes {start}-{len(data) - 1}/{len(data)}'
            self.send_header('Content-Range', place)
        self.end_headers()
        cut, self.server.cut = self.server.cut, None
        self.server.sent.append((self.path, header, len(body[:cut])))
        self.wfile.write(body[:cut])

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server(('127.0.0.1', 0), Handler)
    server.content, server.sent = {}, []
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def tool(server: Server, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The tool with torchvision's table turned to the local server."""
    monkeypatch.setenv('no_proxy', '127.0.0.1')
    tool = importlib.import_module('ies_mm.commands.get_voc')
    monkeypatch.setitem(tool.NEEDED_GB, '2007', 0.02)
    monkeypatch.setitem(tool.NEEDED_GB, '2012', 0.02)
    archives = {
        '2007': voc_tar('2007', 'trainval', ['000001', '000002']),
        '2007-test': voc_tar('2007', 'test', ['000003']),
        '2012': voc_tar('2012', 'trainval', ['2008_000001']),
    }
    for key, data in archives.items():
        server.content[f'/{key}.tar'] = data
        entry = {
            'url': f'http://127.0.0.1:{server.server_port}/{key}.tar',
            'filename': f'{key}.tar',
            'md5': hashlib.md5(data).hexdigest(),
            'base_dir': f'VOCdevkit/VOC{key[:4]}',
        }
        monkeypatch.setitem(tool.DATASET_YEAR_DICT, key, entry)
    return tool


def error_line(capsys: pytest.CaptureFixture[str]) -> str:
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1, lines
    return lines[0]


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


def test_damaged_archive_is_removed(
    tool: ModuleType,
    server: Server,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    archive = tmp_path / '2012.tar'
    good = server.content['/2012.tar']
    server.content['/2012.tar'] = good[:-1] + b'!'
    assert tool.main(['2012', '--root', str(tmp_path)]) == 1
    line = error_line(capsys)
    assert 'checksum' in line
    assert str(archive) in line
    assert list(tmp_path.iterdir()) == []
    server.content['/2012.tar'] = good
    assert tool.main(['2012', '--root', str(tmp_path)]) == 0


def test_archive_from_elsewhere_is_checked(
    tool: ModuleType,
    server: Server,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    archive = tmp_path / '2012.tar'
    archive.write_bytes(server.content['/2012.tar'][:5000])
    assert tool.main(['2012', '--root', str(tmp_path)]) == 1
    assert 'checksum' in error_line(capsys)
    assert not archive.exists()
    archive.write_bytes(server.content['/2012.tar'])
    assert tool.main(['2012', '--root', str(tmp_path)]) == 0
    assert server.sent == []


def test_interrupted_unpacking_is_redone(
    tool: ModuleType,
    server: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def half(archive: Path, folder: Path) -> None:
        (folder / 'VOCdevkit/VOC2007/JPEGImages').mkdir(parents=True)
        (folder / 'VOCdevkit/VOC2007/JPEGImages/half.jpg').write_text('ha')
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(tool, 'extract', half)
        assert tool.main(['2007', '--root', str(tmp_path)]) == 130
    assert 'run again' in error_line(capsys)
    assert not (tmp_path / 'VOCdevkit').exists()
    server.sent.clear()
    assert tool.main(['2007', '--root', str(tmp_path)]) == 0
    assert server.sent == []
    assert not list(tmp_path.rglob('half.jpg'))
    assert not list(tmp_path.glob('.get_voc*'))


def serve(
    tool: ModuleType,
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
    *members: tarfile.TarInfo,
) -> None:
    """An archive of 2012 with further members, and the right checksum."""
    buffer = io.BytesIO(voc_tar('2012', 'trainval', ['2008_000001']))
    with tarfile.open(fileobj=buffer, mode='a') as tar:
        for member in members:
            member.size = 0 if member.issym() else 4
            tar.addfile(member, io.BytesIO(b'evil'))
    data = buffer.getvalue()
    server.content['/2012.tar'] = data
    digest = hashlib.md5(data).hexdigest()
    monkeypatch.setitem(tool.DATASET_YEAR_DICT['2012'], 'md5', digest)


def link(name: str, target: str) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = tarfile.SYMTYPE, target
    return member


@pytest.mark.skipif(
    not hasattr(tarfile, 'data_filter'), reason='this Python has no filter'
)
@pytest.mark.parametrize(
    'member',
    [
        tarfile.TarInfo('../../evil.txt'),
        tarfile.TarInfo('VOCdevkit/../../../evil.txt'),
        link('VOCdevkit/out', '/'),
        link('VOCdevkit/out', '../../..'),
    ],
    ids=['up', 'up from inside', 'link', 'link up'],
)
def test_nothing_is_unpacked_elsewhere(
    tool: ModuleType,
    server: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    member: tarfile.TarInfo,
) -> None:
    """Though the checksum were right."""
    root = tmp_path / 'a' / 'root'
    serve(tool, server, monkeypatch, member)
    assert tool.main(['2012', '--root', str(root)]) == 1
    assert f'cannot unpack {root}/2012.tar: ' in error_line(capsys)
    assert not list(tmp_path.rglob('evil.txt'))
    assert not (root / 'VOCdevkit').exists()


@pytest.mark.skipif(
    not hasattr(tarfile, 'data_filter'), reason='this Python has no filter'
)
def test_an_absolute_path_is_taken_below_the_folder(
    tool: ModuleType,
    server: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    evil = tmp_path / 'evil.txt'
    serve(tool, server, monkeypatch, tarfile.TarInfo(str(evil)))
    assert tool.main(['2012', '--root', str(tmp_path / 'root')]) == 0
    assert not evil.exists()


def test_an_archive_of_something_else(
    tool: ModuleType,
    server: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for data, message in (
        (b'no archive', 'cannot unpack'),
        (voc_tar('2007', 'trainval', ['000001']), 'holds no VOC2012'),
    ):
        server.content['/2012.tar'] = data
        digest = hashlib.md5(data).hexdigest()
        monkeypatch.setitem(tool.DATASET_YEAR_DICT['2012'], 'md5', digest)
        assert tool.main(['2012', '--root', str(tmp_path)]) == 1
        assert message in error_line(capsys)
        (tmp_path / '2012.tar').unlink()


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
    monkeypatch.setattr(sys, 'argv', ['get_voc.py', *args])
    with pytest.raises(SystemExit) as stop:
        runpy.run_path(str(TOOLS / 'get_voc.py'), run_name='__main__')
    assert stop.value.code == 2
    assert word in error_line(capsys)
