"""Archives are checked, and nothing is unpacked outside the folder."""

import hashlib
import io
import tarfile
from pathlib import Path
from types import ModuleType

import pytest

from commands import error_line
from voc_server import Server, voc_tar

pytest.importorskip('torchvision')


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
    """Serve a 2012 archive with further members and the right checksum."""
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
    """Even with the right checksum."""
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
        (voc_tar('2007', 'trainval', ['000001']), 'does not contain VOC2012'),
    ):
        server.content['/2012.tar'] = data
        digest = hashlib.md5(data).hexdigest()
        monkeypatch.setitem(tool.DATASET_YEAR_DICT['2012'], 'md5', digest)
        assert tool.main(['2012', '--root', str(tmp_path)]) == 1
        assert message in error_line(capsys)
        (tmp_path / '2012.tar').unlink()
