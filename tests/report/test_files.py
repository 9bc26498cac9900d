"""Only complete lines are read; files are written all or none."""

from pathlib import Path

import pytest

from ies_mm.errors import ConfigError
from ies_mm.report.files import json_lines, write_files


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_last_line_that_was_cut_off_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / 'scalars.json'
    path.write_text('{"a": 1}\n{"a": 2}\n{"a": ')
    assert json_lines(path) == [{'a': 1}, {'a': 2}]


def test_a_missing_file_has_no_lines(tmp_path: Path) -> None:
    assert json_lines(tmp_path / 'scalars.json') == []


@pytest.mark.parametrize('middle', ['{"a": ', '3', ''])
def test_another_broken_line_is_an_error(tmp_path: Path, middle: str) -> None:
    path = tmp_path / 'scalars.json'
    path.write_text(f'{{"a": 1}}\n{middle}\n{{"a": 3}}\n')
    with pytest.raises(ConfigError, match=r'scalars\.json is damaged: line 2'):
        json_lines(path)


def test_files_are_replaced(tmp_path: Path) -> None:
    (tmp_path / 'a').write_bytes(b'old')
    write_files(tmp_path, {'a': b'new', 'b': b'more'})
    assert contents(tmp_path) == {'a': b'new', 'b': b'more'}


def test_nothing_is_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / 'a').write_bytes(b'old')
    write = Path.write_bytes

    def full_disk(path: Path, content: bytes) -> int:
        if content == b'more':
            raise OSError(28, 'No space left on device')
        return write(path, content)

    monkeypatch.setattr(Path, 'write_bytes', full_disk)
    with pytest.raises(ConfigError, match='No space left on device'):
        write_files(tmp_path, {'a': b'new', 'b': b'more'})
    assert contents(tmp_path) == {'a': b'old'}


def test_a_file_is_in_the_place_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / 'out').write_text('')
    with pytest.raises(ConfigError, match='out cannot be written to'):
        write_files(tmp_path / 'out', {'a': b'new'})


def test_a_folder_is_in_the_place_of_a_file(tmp_path: Path) -> None:
    (tmp_path / 'a.csv').mkdir()
    with pytest.raises(ConfigError, match=r'a\.csv is a folder; name a file'):
        write_files(tmp_path, {'b': b'new', 'a.csv': b'new'})
    assert [path.name for path in tmp_path.iterdir()] == ['a.csv']
