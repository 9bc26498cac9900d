"""The benchmark of whole trainings: what it runs, reads and prints."""

import json
import math
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from commands import call
from method_cases import config_of
from task_runs import make_folders

TOOLS = Path(__file__).resolve().parents[2] / 'tools'


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(TOOLS)
    yield import_module('benchmarks.trainings')
    sys.modules.pop('benchmarks.trainings')


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(TOOLS)
    yield import_module('benchmarks.measured')
    sys.modules.pop('benchmarks.measured')


def plain(tmp_path: Path, **changes: Any) -> Path:
    config = config_of(make_folders(tmp_path / 'images', 20), tmp_path, 9)
    config.train_dataloader.sampler.type = 'DefaultSampler'
    config.val_dataloader = dict(
        config.train_dataloader.to_dict(),
        sampler=dict(type='DefaultSampler', shuffle=False),
    )
    config.val_cfg = dict(type='ValLoop')
    config.val_evaluator = dict(type='Accuracy', topk=(1,))
    config.merge_from_dict(changes)
    path = tmp_path / 'plain.py'
    config.dump(path)
    return path


def test_trainings_are_run_once_and_set_beside_the_plain_one(
    tmp_path: Path, bench: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    config, out = plain(tmp_path), tmp_path / 'out'
    names = ['IES, spaced, by training']
    bench.bench_trainings(bench.Plan(config, out, [3], 0.2, names))
    rows = capsys.readouterr().out.splitlines()
    assert [row.split(' | ')[0] for row in rows[2:]] == [
        '| plain', '| IES, spaced, by training',
    ]  # fmt: skip
    work_dir = out / 'IES_spaced_by_training_3'
    record = (work_dir / 'ies/epochs.jsonl').read_text().splitlines()[-1]
    assert f'{json.loads(record)["saved"]:.1%}' in rows[3]
    wall = [
        json.loads((out / name / 'seconds.json').read_text())['wall']
        for name in ('plain_3', work_dir.name)
    ]
    assert f'| {wall[0] / wall[1]:.3f} |' in rows[3]

    before = (work_dir / 'seconds.json').stat().st_mtime_ns
    bench.bench_trainings(bench.Plan(config, out, [3], 0.2, names))
    assert (work_dir / 'seconds.json').stat().st_mtime_ns == before
    bench.bench_trainings(bench.Plan(config, out, [3], 0.3, names))
    assert (work_dir / 'seconds.json').stat().st_mtime_ns > before


def test_the_share_of_the_limit(measured: Any) -> None:
    def training(method: str, seed: int, wall: float, saved: float) -> Any:
        return measured.Training(
            method, seed, wall, wall / 2, saved, 0.5, math.nan, 0.001
        )

    table = measured.table(
        [
            training('plain', 0, 10.0, 0.0),
            training('IES', 0, 8.0, 0.2),
            training('plain', 1, 20.0, 0.0),
            training('IES', 1, 20.0, 0.2),
        ]
    )
    assert '| 1.125 (1.000 to 1.250) | 1.25 | 0.900 (0.800 to 1' in table


@pytest.mark.parametrize(
    ('arguments', 'says'),
    [
        (['--config', 'none.py'], 'there is no config file none.py'),
        (['--config', 'configs/ies_faster_rcnn_r18_demo.py'], 'plain config'),
        (['--config', 'configs/deeplabv3_voc12aug_20k.py'], 'max_epochs'),
        (['--methods', 'luck'], "there is no method 'luck'; give some of"),
        (['--saved', '1.5'], '--saved 1.5: give a share'),
        (['--pairs', '0'], '--pairs 0: give 1 or more'),
        (
            ['speed'],
            "there is no part 'speed': steps, heads, decisions, trainings",
        ),
    ],
)
def test_bad_input_is_one_line(
    arguments: list[str], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(TOOLS.parent)
    result = call(TOOLS / 'bench.py', *arguments)
    assert result.returncode == 2
    assert says in result.stderr.splitlines()[-1]
    assert result.stdout == ''
