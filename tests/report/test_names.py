"""Names of images whose file is in several dataset parts."""

from pathlib import Path

from ies_mm.report.names import file_of, in_part


def test_the_file_of_a_name(tmp_path: Path) -> None:
    path, odd = tmp_path / 'a.png', tmp_path / 'b [part 2]'
    path.touch()
    odd.touch()
    assert file_of(in_part(str(path), 12)) == path
    assert file_of(str(path)) == path
    assert file_of(str(odd)) == odd
    assert file_of(in_part(str(odd), 1)) == odd
    assert file_of('x\0y [part 3]') == Path('x\0y')
