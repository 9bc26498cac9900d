"""GroupMetric's values on the comparison's page."""

import json
from pathlib import Path

from ies_mm.report.comparing.comparison import compare_runs
from ies_mm.report.showing.as_json import as_json
from ies_mm.report.showing.page import image_group_rows, render_page
from work_dirs import config_of, epoch_scalars, write_start

FIRST = {
    'accuracy/top1': 80.0,
    'group/accuracy': 80.0,
    'group/men/accuracy': 70.0,
    'group/demographic_parity_difference': 0.4,
}


def run(work_dir: Path, seed: int, values: dict[str, float]) -> Path:
    """Validated twice; the first values were half as high."""
    lines = epoch_scalars({2: 0.0, 4: 1.0}, 4, 'unit')
    for line in lines:
        if 'unit' in line:
            factor = (1 + line.pop('unit')) / 2
            line |= {name: v * factor for name, v in values.items()}
    return write_start(work_dir, config_of(seed), lines, [(0, 'begin')])


def test_they_are_shown_over_all_and_by_group(tmp_path: Path) -> None:
    second = {name: value + 0.2 for name, value in FIRST.items()}
    second['group/women/accuracy'] = 90.0  # the other run has none of them
    found = compare_runs(
        [run(tmp_path / 'a', 0, FIRST), run(tmp_path / 'b', 1, second)]
    )
    assert found.metric == 'accuracy/top1'
    assert image_group_rows(found.rows) == [
        ('accuracy', ['80.10 ± 0.14']),
        ('demographic_parity_difference', ['0.500 ± 0.141']),
        ('men: accuracy', ['70.10 ± 0.14']),
    ]
    page = render_page(found, None).decode()
    assert 'Group by group' in page
    assert 'men: accuracy' in page
    runs = json.loads(as_json(found))['runs']
    assert runs[0]['image_groups']['men/accuracy'] == 70.0


def test_without_the_metric_there_is_no_such_section(tmp_path: Path) -> None:
    found = compare_runs([run(tmp_path, 0, {'accuracy/top1': 80.0})])
    assert image_group_rows(found.rows) == []
    assert 'Group by group' not in render_page(found, None).decode()
