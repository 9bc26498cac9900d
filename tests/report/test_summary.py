"""The table says what the files say."""

import json
from pathlib import Path

import pytest

from ies_mm.report.summary import RunSummary, summarize, table


def write(path: Path, lines: list[dict]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('\n'.join(json.dumps(line) for line in lines))


def test_summarize_reads_metric_and_records(tmp_path: Path) -> None:
    old = tmp_path / '20200101_000000' / 'vis_data' / 'scalars.json'
    new = tmp_path / '20200102_000000' / 'vis_data' / 'scalars.json'
    write(old, [{'mAP': 0.9}])
    write(new, [{'loss': 1}, {'mAP': 0.25}, {'mAP': 0.75}, {'mAP': 0.5}])
    write(
        tmp_path / 'ies' / 'epochs.jsonl',
        [
            {'saved': 0.0, 'forward_only': 0},
            {'saved': 0.2, 'forward_only': 4},
            {'saved': 0.3, 'forward_only': 5},
        ],
    )
    assert summarize('IES', tmp_path, 'mAP', 60.0) == RunSummary(
        'IES', 'mAP', 0.75, 0.5, 0.3, 9, 60.0
    )


def test_a_plain_run_saved_nothing(tmp_path: Path) -> None:
    write(tmp_path / 'x' / 'vis_data' / 'scalars.json', [{'mAP': 0.5}])
    plain = summarize('plain', tmp_path, 'mAP', 90.0)
    assert (plain.saved, plain.forward_only) == (0, 0)
    ies = RunSummary('IES', 'mAP', 0.6, 0.5, 0.25, 7, 60.0)
    lines = table([plain, ies]).splitlines()
    assert lines[0] == 'metric: mAP'
    assert lines[-1].split() == [
        'IES', '0.600', '0.500', '25.0%', '7', '60', 's', '1.50x',
    ]  # fmt: skip
    assert len({len(line) for line in lines[1:]}) == 1


def test_a_run_without_the_metric(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match='no value of mAP'):
        summarize('plain', tmp_path, 'mAP', 1.0)
