"""Figures 5 and 7: accuracy and time over the saved share."""

from pathlib import Path
from typing import Any

import pytest

from ies_mm.report.reading.runs import read_run
from paper_runs import VALIDATED
from work_dirs import (
    config_of,
    epoch_log,
    epoch_scalars,
    record,
    write_records,
    write_start,
)


def test_figure5(made: Any) -> None:
    found = made('figure5')
    upper, *lower = found.found.panels
    labels = [line.label for line in upper.lines]
    assert labels == [
        'IES, loss', 'IES, 1st order', 'IES, 2nd order', 'IES, 3rd order',
        'Random Remove', 'Small Loss & Rescale',
    ]  # fmt: skip
    for line, name in zip(
        upper.lines,
        ('ies_order0', 'ies_order1', 'ies_order2', 'ies_order3',
         'randomremoval', 'smalllossrescale'),
        strict=True,
    ):  # fmt: skip
        points = sorted(
            (run.saved, run.accuracy[VALIDATED[-1]])
            for t, run in found.made.items()
            if t.method.startswith(name)
        )
        assert line.x == pytest.approx([x for x, _ in points])
        assert line.y == [y for _, y in points]
    plain = found.of('plain')
    time, excluded, accuracy = (panel.lines[0] for panel in lower)
    assert time.x == [0.01, 0.1, 1, 10, 100]
    for k, factor in enumerate(time.x):
        run = found.of(f'ies_order2_delta{0.1 * factor:g}')
        ratio = round(run.wall) / round(plain.wall)
        assert time.y[k] == pytest.approx(ratio, abs=0.02)
        assert excluded.y[k] == pytest.approx(run.saved)
        assert accuracy.y[k] == run.accuracy[VALIDATED[-1]]


def test_epochs_that_are_not_trained_any_more_are_excluded(
    part: Any, tmp_path: Path
) -> None:
    records = [record(e, 0, instances=10, trained=10) for e in (1, 2, 3)]
    write_records(tmp_path / 'run', records)
    config = config_of(0, {'delta': 9.0}, train_cfg__max_epochs=12)
    scalars = epoch_scalars({3: 50.0}, 3, 'accuracy/top1')
    write_start(tmp_path / 'run', config, scalars, epoch_log(3))
    run = read_run(tmp_path / 'run')
    assert run.saved == 0
    assert part('experiment').share_excluded(run) == pytest.approx(0.75)


def test_most_saved_within_a_point(part: Any) -> None:
    most = part('sweep_claims').most_saved_within
    saved = [0.1, 0.3, 0.5, 0.8]
    assert most(saved, [94, 94, 93.5, 90], 93) == 0.5
    # A good value beyond a gap is chance.
    assert most(saved, [94, 92, 94, 94], 93) == 0.1
    assert most(saved, [92, 94, 94, 94], 93) is None


def test_the_best_criterion_is_the_best_where_all_lines_are(
    part: Any,
) -> None:
    line, panel = part('panels').Line, part('panels').Panel
    claims = part('sweep_claims')
    lines = [
        line(claims.SECOND_ORDER, [0.1, 0.5], [90.0, 90.0]),
        # Better, but outside the other's range.
        line('Random Remove', [0.0, 0.2], [95.0, 85.0]),
    ]
    drawn = panel('', '', '', lines, {claims.NO_REMOVAL: 91.0})
    for seeds, verdict in ((3, 'yes'), (1, 'inconclusive')):
        most, lost, best = claims.claims_of(drawn, 'cifar10', seeds)
        assert most.ours == '50%'
        assert (lost.ours, lost.holds) == ('1.0 points', verdict)
        assert best.holds == verdict
        assert 'IES, 2nd order 90.0, Random Remove 87.5' in best.ours


def test_figure7(made: Any) -> None:
    found = made('figure7')
    lines = found.found.panels[0].lines
    assert [line.label for line in lines[:2]] == [
        'IES, 2nd order',
        'InfoBatch',
    ]
    plain, batch = found.of('plain'), found.of('infobatch')
    assert lines[1].x == pytest.approx([batch.saved])
    assert lines[1].y == [pytest.approx(batch.wall / plain.wall, abs=0.02)]
