"""What tools/make_voc.py replaces, and what it refuses."""

import importlib
import subprocess
from pathlib import Path

import pytest

from voc_files import files, run


def refused(done: subprocess.CompletedProcess[str], word: str) -> bool:
    """Expect one stderr line with the word, no output, status 2."""
    lines = done.stderr.splitlines()
    wrote = len(lines) == 1 and word in lines[0] and not done.stdout
    return wrote and done.returncode == 2


def test_replaces_its_own_data(tmp_path: Path) -> None:
    assert run(tmp_path, '--images', 8).returncode == 0
    assert run(tmp_path, '--images', 4).returncode == 0
    assert [path.name for path in tmp_path.iterdir()] == ['VOCdevkit']
    pictures = tmp_path / 'VOCdevkit/VOC2007/JPEGImages'
    assert len(list(pictures.iterdir())) == 6


def test_leaves_other_data_alone(tmp_path: Path) -> None:
    mine = tmp_path / 'VOCdevkit/VOC2007/notes.txt'
    mine.parent.mkdir(parents=True)
    mine.write_text('mine')
    assert refused(run(tmp_path, '--images', 4), 'not touched')
    assert files(tmp_path) == ['VOCdevkit/VOC2007/notes.txt']
    assert mine.read_text() == 'mine'


def test_leaves_what_was_added_to_its_data(tmp_path: Path) -> None:
    assert run(tmp_path, '--images', 4).returncode == 0
    devkit = tmp_path / 'VOCdevkit'
    (devkit / 'VOC2007/JPEGImages/mine.jpg').write_text('mine')
    before = {name: (devkit / name).read_bytes() for name in files(devkit)}
    done = run(tmp_path, '--images', 4, '--seed', 1)
    assert refused(done, 'VOC2007/JPEGImages/mine.jpg')
    after = {name: (devkit / name).read_bytes() for name in files(devkit)}
    assert after == before
    assert [path.name for path in tmp_path.iterdir()] == ['VOCdevkit']


def test_fills_an_empty_folder(tmp_path: Path) -> None:
    (tmp_path / 'VOCdevkit').mkdir()
    assert run(tmp_path, '--images', 4).returncode == 0
    assert (tmp_path / 'VOCdevkit/difficulty.txt').exists()


@pytest.mark.parametrize(
    ('args', 'word'),
    [
        (('--images', '3'), '--images'),
        (('--images', 'many'), '--images'),
        (('--images', '4.5'), '--images'),
        (('--seed', '-1'), '--seed'),
        (('--colour', 'red'), '--colour'),
    ],
)
def test_bad_arguments(tmp_path: Path, args: tuple, word: str) -> None:
    assert refused(run(tmp_path, *args), word)
    assert files(tmp_path) == []


def test_out_is_a_file(tmp_path: Path) -> None:
    path = tmp_path / 'file'
    path.write_text('x')
    assert refused(run(path, '--images', 4), 'file')
    assert path.read_text() == 'x'


def test_devkit_is_a_file(tmp_path: Path) -> None:
    (tmp_path / 'VOCdevkit').write_text('x')
    assert refused(run(tmp_path, '--images', 4), 'not touched')
    assert (tmp_path / 'VOCdevkit').read_text() == 'x'


def test_nothing_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = importlib.import_module('ies_mm.commands.make_voc')

    def fail(seed: int, index: int) -> None:
        raise OSError('disk full')

    assert tool.main([str(tmp_path), '--images', '4']) == 0
    before = files(tmp_path)
    monkeypatch.setattr(tool, 'make_scene', fail)
    assert tool.main([str(tmp_path), '--images', '4', '--seed', '1']) == 2
    assert files(tmp_path) == before
