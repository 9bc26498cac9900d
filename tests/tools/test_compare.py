"""The command: its output, its files, and its one-line errors."""

import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from work_dirs import (
    config_of,
    epoch_log,
    epoch_scalars,
    ies_run,
    plain_run,
    record,
    write_records,
    write_start,
)

TOOL = Path(__file__).resolve().parents[2] / 'tools' / 'compare.py'
PICTURES = {'curves.png', 'differences.png', 'times.png'}
FILES = {'compare.html', 'compare.json', *PICTURES}


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(TOOL.parent)


def call(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, 'argv', [str(TOOL), *arguments])
    runpy.run_path(str(TOOL), run_name='__main__')


def refusal(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *arguments: str,
) -> str:
    """The one-line error of a failing call."""
    with pytest.raises(SystemExit) as left:
        call(monkeypatch, *arguments)
    printed = capsys.readouterr()
    assert left.value.code == 2
    assert printed.out == ''
    [line] = printed.err.splitlines()
    assert line.startswith('tools/compare.py: error: ')
    assert not Path('work_dirs', 'compare').exists()
    return line


def test_as_a_process(tmp_path: Path) -> None:
    plain_run(tmp_path / 'runs' / 'plain')
    ies_run(tmp_path / 'runs' / 'ies')
    command = [sys.executable, str(TOOL), 'runs/plain/', 'runs/ies']
    paths = [str(TOOL.parents[1]), os.environ.get('PYTHONPATH', '')]
    environment = os.environ | {'PYTHONPATH': os.pathsep.join(paths)}
    done = subprocess.run(
        command, capture_output=True, text=True, env=environment, check=False
    )
    assert (done.returncode, done.stderr) == (0, '')
    assert 'IES' in done.stdout
    out = tmp_path / 'work_dirs' / 'compare'
    assert {path.name for path in out.iterdir()} == FILES


def test_the_folder_of_the_files(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    plain_run(tmp_path / 'a')
    call(monkeypatch, 'a', '--out', 'deep/er')
    written = {path.name for path in Path('deep', 'er').iterdir()}
    assert written == FILES - {'differences.png', 'times.png'}
    assert 'written to deep/er: ' in capsys.readouterr().out


def test_one_run_and_a_metric_of_choice(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines = epoch_scalars({4: 0.5}, 4)
    lines[-1]['pascal_voc/AP50'] = 0.7
    write_start(tmp_path / 'a', config_of(), lines)
    call(monkeypatch, 'a', '--metric', 'pascal_voc/AP50')
    assert 'metric: pascal_voc/AP50' in capsys.readouterr().out
    found = json.loads(Path('work_dirs/compare/compare.json').read_text())
    assert found['runs'][0]['last'] == 0.7


def test_a_second_call_over_all_of_work_dirs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first call's files are among the work directories."""
    plain_run(tmp_path / 'work_dirs' / 'a')
    call(monkeypatch, 'work_dirs/a')
    call(monkeypatch, 'work_dirs/a', 'work_dirs/compare')


@pytest.mark.parametrize(
    ('arguments', 'named'),
    [
        ([], 'WORK_DIR'),
        (['none'], 'there is no none'),
        (['empty'], 'empty contains no run'),
        (['good', 'other'], 'are on different data'),
        (['good', '--metric', 'x'], 'common metrics: pascal_voc/mAP'),
        (['good', '--out', 'file'], 'file cannot be written to'),
        (['good', '--early', '0'], 'give a number above 0, at most 1'),
        (['good', '--early', 'x'], 'give a number above 0, at most 1'),
        (['good', '--unknown'], '--unknown'),
    ],
)
def test_bad_input_is_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    named: str,
) -> None:
    plain_run(tmp_path / 'good')
    (tmp_path / 'empty').mkdir()
    (tmp_path / 'file').write_text('')
    config = config_of(train_dataloader__dataset__ann_file='x')
    write_start(tmp_path / 'other', config, epoch_scalars({4: 0.5}, 4))
    assert named in refusal(monkeypatch, capsys, *arguments)


def test_a_folder_that_may_not_be_written_to(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def denied(path: Path, content: bytes) -> None:
        raise PermissionError(13, 'Permission denied', str(path))

    plain_run(tmp_path / 'a')
    monkeypatch.setattr(Path, 'write_bytes', denied)
    line = refusal(monkeypatch, capsys, 'a', '--out', 'out')
    assert 'out cannot be written to: Permission denied' in line


def test_without_matplotlib(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    plain_run(tmp_path / 'a')
    ours = ('ies_mm.report', 'ies_mm.commands.compare')
    for name in [name for name in sys.modules if name.startswith(ours)]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, 'matplotlib', None)
    line = refusal(monkeypatch, capsys, 'a')
    assert "install it with pip install 'ies-mm[report]'" in line


def with_config(work_dir: Path, text: str) -> None:
    """Append lines to the run's config."""
    [path] = work_dir.glob('*/vis_data/config.py')
    path.write_text(f'{path.read_text()}\n{text}\n')


@pytest.mark.parametrize(
    ('text', 'named'),
    [
        ('default_hooks = []', 'default_hooks is [], not a dict'),
        ('train_dataloader = "x"', "train_dataloader is 'x', not a dict"),
        ('randomness = dict(seed="a")', "randomness.seed is 'a', not an int"),
        ('train_cfg = dict(max_epochs=-1)', 'train_cfg.max_epochs is -1, not'),
        ('train_cfg = dict(max_iters=2.5)', 'train_cfg.max_iters is 2.5'),
        ('custom_hooks = {}', 'custom_hooks is {}, not a list'),
        (f'x = {"-" * 100_000}1', 'not a config that MMEngine dumped'),
        (f'x = {"[" * 5000}{"]" * 5000}', 'not a config that MMEngine dumped'),
    ],
)
def test_a_config_of_another_form(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    text: str,
    named: str,
) -> None:
    with_config(plain_run(tmp_path / 'a'), text)
    assert named in refusal(monkeypatch, capsys, 'a')


@pytest.mark.parametrize(
    ('changes', 'named'),
    [
        ({'excluded': 'many'}, "line 2 has excluded='many', which is not a c"),
        ({'excluded': None}, 'line 2 has excluded=None'),
        ({'trained': 10**400}, 'line 2 has trained=1000'),
        ({'decide_seconds': 'x'}, "line 2 has decide_seconds='x'"),
        ({'refresh_seconds': float('nan')}, 'line 2 has refresh_seconds=nan'),
        ({'start_seconds': None}, 'line 2 has start_seconds=None'),
        ({'saved': 2}, 'line 2 has saved=2'),
        ({'epoch': 1}, 'line 2 is of epoch 1, after one of epoch 1'),
        ({'instances': 11}, 'line 2 is of a dataset of 11 images, not 10'),
    ],
)
def test_records_that_were_edited(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    changes: dict,
    named: str,
) -> None:
    write_records(ies_run(tmp_path / 'a'), [record(1), record(2) | changes])
    assert named in refusal(monkeypatch, capsys, 'a')


@pytest.mark.parametrize(
    'changes',
    [
        {'iter': None},
        {'iter': 'x'},
        {'epoch': 1e300},
        {'iter': 10**400},
        {'step': None},
        {'step': float('inf')},
    ],
)
def test_scalars_that_were_edited(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    changes: dict,
) -> None:
    lines = epoch_scalars({4: 0.5}, 4)
    del lines[1]['iter' if 'step' in changes else 'step']
    lines[1] |= changes
    write_start(tmp_path / 'a', config_of(), lines)
    line = refusal(monkeypatch, capsys, 'a')
    assert f'line 2 has {next(iter(changes))}=' in line


def test_what_is_odd_and_does_no_harm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Invalid dates, unhashable keys, non-identifier names."""
    write_start(
        tmp_path / 'a',
        config_of(),
        epoch_scalars({4: 0.5}, 4, metric='a\ud800'),
        epoch_log(4),
    )
    with_config(tmp_path / 'a', 'x = {[1]: 2, **y, 3: {[]}}\nz = dict([1])')
    [log] = tmp_path.glob('a/*/*.log')
    log.write_text(f'9999/99/99 99:99:99 - hello\n{log.read_text()}')
    call(monkeypatch, 'a')
    found = json.loads(Path('work_dirs/compare/compare.json').read_text())
    assert found['metric'] == 'a\\ud800'
    assert found['runs'][0]['total_seconds'] == 40


def test_a_folder_whose_name_is_no_text(tmp_path: Path) -> None:
    plain_run(tmp_path / os.fsdecode(b'a\xff'), seed=1)
    path = tmp_path / os.fsdecode(b'a\xff') / 'ies'
    path.mkdir()
    (path / 'epochs.jsonl').write_text('{}')
    paths = [str(TOOL.parents[1]), os.environ.get('PYTHONPATH', '')]
    environment = os.environ | {'PYTHONPATH': os.pathsep.join(paths)}
    done = subprocess.run(
        [sys.executable, TOOL, os.fsdecode(b'a\xff')],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, '')
    assert 'a\\udcff/ies was ignored' in done.stdout


def test_records_that_begin_late(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Earlier records were moved aside."""
    write_records(ies_run(tmp_path / 'a'), [record(3), record(4)])
    call(monkeypatch, 'a')
    words = ' '.join(capsys.readouterr().out.split())
    assert 'a has records of 2 of its 4 epochs' in words
