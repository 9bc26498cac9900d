"""A comparison as strict JSON: groups, runs, and null for NaN."""

import json
from pathlib import Path
from typing import Any

from ies_mm.report.comparing.comparison import compare_runs
from ies_mm.report.comparing.notes import Comparison
from ies_mm.report.showing.as_json import as_json
from work_dirs import ies_run, plain_run


def strict(comparison: Comparison) -> Any:
    """Parse the JSON file strictly, without NaN."""

    def refuse(name: str) -> None:
        raise AssertionError(f'{name} is no JSON')

    return json.loads(as_json(comparison), parse_constant=refuse)


def test_json_holds_groups_and_runs(tmp_path: Path) -> None:
    plain = plain_run(tmp_path / 'a', 3, {2: 0.5, 4: 0.4}, train=20)
    ies = ies_run(tmp_path / 'b', 4, train=10, saved=0.5)
    found = strict(compare_runs([plain, ies]))
    assert found['metric'] == 'pascal_voc/mAP'
    group, run = found['groups'][1], found['runs'][0]
    assert (group['label'], group['runs'], group['speed_up']) == ('IES', 1, 2)
    assert group['baseline'] == 'plain'
    assert group['saved'] == {'mean': 0.5, 'deviation': None}
    assert group['training_is_wall_time'] is False
    assert (run['seed'], run['best'], run['last']) == (3, 0.5, 0.4)
    assert run['metric'] == [[2, 0.5], [4, 0.4]]
    assert found['runs'][1]['excluded'] == [0, 2, 4, 6]


def test_nan_becomes_null(tmp_path: Path) -> None:
    run = plain_run(tmp_path, values={2: 0.5, 4: float('nan')})
    found = strict(compare_runs([run]))['runs'][0]
    assert (found['best'], found['last']) == (0.5, None)
    assert found['metric'] == [[2, 0.5], [4, None]]
