"""Figures that are unknown, or differ because runs ended early."""

from pathlib import Path

import pytest

from ies_mm.report.comparing.comparison import compare_runs
from ies_mm.report.comparing.figures import Spread
from ies_mm.report.records import END
from ies_mm.report.showing.as_json import as_json
from ies_mm.report.showing.table import table
from work_dirs import (
    config_of,
    epoch_log,
    epoch_scalars,
    ies_run,
    plain_run,
    record,
    write_lines,
    write_records,
    write_start,
)


def test_records_that_were_cut_say_nothing_on_what_was_saved(
    tmp_path: Path,
) -> None:
    """Two of four epochs: not what a whole run saved, nor as much."""
    runs = [plain_run(tmp_path / 'p', train=20)]
    for seed, name in enumerate('ab'):
        runs.append(ies_run(tmp_path / name, seed, saved=0.2))
    write_records(tmp_path / 'a', [record(e, saved=0.2) for e in (1, 2)])
    found = compare_runs(runs)
    row = found.rows[-1]
    assert (row.figures.saved, row.figures.compute) == (None, None)
    assert row.speed_up is not None
    assert (row.speed_up.factor, row.speed_up.share) == (2, None)
    assert found.verdict == ''
    [note] = [n for n in found.notes if 'no records from' in n]
    assert f'{tmp_path / "a"} has no records from epoch 3 on: ' in note
    assert 'unknown, so the verdict leaves it out' in note
    assert ' - ' in next(x for x in table(found).splitlines() if 'IES' in x)
    assert b'"saved": null' in as_json(found)
    assert 'IES, 20% saved' in compare_runs([runs[0], runs[2]]).verdict


def test_a_clock_that_was_set_back_times_nothing(tmp_path: Path) -> None:
    plain = plain_run(tmp_path / 'p', train=10, val=2)
    [log] = plain.glob('2*/*.log')
    lines = log.read_text().splitlines(keepends=True)
    lines[-1] = lines[-1].replace(' 10:', ' 09:')
    log.write_text(''.join(lines))
    found = compare_runs([plain, ies_run(tmp_path / 'i')])
    assert [row.figures.wall_seconds is None for row in found.rows] == [
        True, False
    ]  # fmt: skip
    assert all(row.speed_up is None for row in found.rows)
    assert (
        f'the clock was set back while {plain} was trained, so its seconds '
        'are unknown'
    ) in found.notes


def test_the_compute_of_early_stopping_counts_the_epochs_trained(
    tmp_path: Path,
) -> None:
    """Plain stops after 3 epochs; 0.7 of 2 is 0.47 of that."""
    hook = [dict(type='EarlyStoppingHook', monitor='mAP')]
    for name, changes, epochs in (
        ('p', {}, 3),
        ('i', {'hook': {}}, 2),
        ('r', {'hook': dict(type='RandomRemovalHook', saved=0.3)}, 3),
    ):
        log = epoch_log(epochs, 10)
        log.append((10.0 * epochs, 'Stopping threshold reached: `mAP` = 0.5'))
        write_start(
            tmp_path / name,
            config_of(custom_hooks=hook, **changes),
            epoch_scalars({epochs: 0.5}, epochs),
            log,
        )
    for name, epochs, method in (('i', 2, 'IES'), ('r', 3, 'Random Remove')):
        lines = [
            record(e + 1, saved=0.3, method=method) for e in range(epochs)
        ]
        write_records(tmp_path / name, lines)
    found = compare_runs([tmp_path / name for name in 'pir'])
    rows = {row.group.label: row for row in found.rows}
    assert rows['plain'].compute == 1
    assert rows['IES'].compute == pytest.approx(0.7 * 2 / 3)
    assert rows['IES'].figures.saved == Spread(0.3, None)
    assert [d.kind for d in rows['IES'].differences] == ['plain']
    assert 'IES, 53% saved' in found.verdict
    assert (
        'random pruning: as many images pruned, but early stopping ended it '
        'after other epochs, so their compute differs.'
    ) in found.verdict


def test_a_short_run_may_be_faster_than_its_length_allows(
    tmp_path: Path,
) -> None:
    """Three of four epochs, in 40 or 60 of 80 s."""
    plain = plain_run(tmp_path / 'p', train=20)
    for seconds, noted in ((20.0, False), (10.0, True)):
        config = config_of(length=0.75, train_cfg__max_epochs=3)
        short = write_start(
            tmp_path / f'{seconds}', config, epoch_scalars({3: 0.5}, 3),
            epoch_log(3, seconds),
        )  # fmt: skip
        notes = compare_runs([plain, short]).notes
        expected = 'faster than the savings allow: short plain 75%. '
        assert any(note.startswith(expected) for note in notes) == noted


def test_how_many_runs_ended_early_is_said(tmp_path: Path) -> None:
    for seed, epochs in enumerate((4, 2)):
        write_start(
            tmp_path / f'{seed}', config_of(seed, {}),
            epoch_scalars({epochs: 0.6}, epochs), epoch_log(epochs),
        )  # fmt: skip
        lines = [record(epoch + 1) for epoch in range(epochs)]
        write_records(tmp_path / f'{seed}', lines)
    end = [dict(epochs=2, reason='mastered')]
    write_lines(tmp_path / '1' / 'ies' / END, end)
    notes = compare_runs([tmp_path / '0', tmp_path / '1']).notes
    assert any(
        note.startswith('1 of 2 runs of IES ended after 2 of 4 epochs')
        for note in notes
    )
