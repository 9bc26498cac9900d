"""The command: its file, and its one-line errors."""

import runpy
import sys
from pathlib import Path

import pytest

from ies_mm.labels.file import read_labels
from task_runs import classifier_config

TOOL = Path(__file__).resolve().parents[2] / 'tools' / 'make_noisy_labels.py'


@pytest.fixture
def config(folders: Path, tmp_path: Path) -> str:
    classifier_config(folders, tmp_path).dump(tmp_path / 'config.py')
    return str(tmp_path / 'config.py')


def call(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, 'argv', [str(TOOL), *arguments])
    runpy.run_path(str(TOOL), run_name='__main__')


def test_the_file_and_what_is_said_of_it(
    config: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = str(tmp_path / 'noisy.npz')
    options = ('--kind', 'symmetric', '--ratio', '0.4', '--seed', '1')
    call(monkeypatch, config, *options, '--out', out)
    found = read_labels(Path(out))
    assert (found.kind, found.ratio, found.seed) == ('symmetric', 0.4, 1)
    changed, images = found.changed.sum(), len(found.clean)
    assert f'{changed} of {images} images (40.0%)' in capsys.readouterr().out


@pytest.mark.parametrize(
    ('arguments', 'reason'),
    [
        (('--kind', 'symmetric'), '--kind symmetric needs a --ratio'),
        (('--kind', 'symmetric', '--ratio', '1.5'), '--ratio 1.5 is not a'),
        (('--ratio', '0.2'), 'give one of --kind and --human'),
        (('--human', 'missing.pt'), 'missing.pt cannot be read'),
        (('--human', 'a.pt', '--ratio', '0.2'), '--ratio needs --kind'),
        (('--kind', 'shift', '--column', 'a'), '--column needs --human'),
        (('--kind', 'boxes'), 'argument --kind: invalid choice'),
    ],
)
def test_bad_input_is_one_line_and_no_file(
    config: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    reason: str,
) -> None:
    out = tmp_path / 'noisy.npz'
    with pytest.raises(SystemExit) as left:
        call(monkeypatch, config, *arguments, '--out', str(out))
    assert left.value.code == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith(f'tools/make_noisy_labels.py: error: {reason}')
    assert not out.exists()
