"""Figures of groups: means, seconds, and speed-ups over the plain run."""

from itertools import combinations
from pathlib import Path

import pytest

from compared_runs import short_run
from ies_mm.report.comparing.comparison import compare_runs
from ies_mm.report.comparing.figures import Spread
from ies_mm.report.records import END
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


def test_mean_and_sample_deviation_over_seeds(tmp_path: Path) -> None:
    runs = [
        plain_run(tmp_path / 'a', 0, {2: 0.7, 4: 0.5}),
        plain_run(tmp_path / 'b', 1, {2: 0.6, 4: 0.7}),
        plain_run(tmp_path / 'c', 2, {2: 0.6, 4: 0.6}),
    ]
    [row] = compare_runs(runs).rows
    # Best: 0.7, 0.7, 0.6; last: 0.5, 0.7, 0.6.
    assert row.figures.best is not None
    assert row.figures.best.mean == pytest.approx(2 / 3)
    assert row.figures.best.deviation == pytest.approx(0.057735, abs=1e-6)
    assert row.figures.last is not None
    assert row.figures.last.mean == pytest.approx(0.6)
    assert row.figures.last.deviation == pytest.approx(0.1)


def test_speed_up_without_validations_over_what_saving_allows(
    tmp_path: Path,
) -> None:
    plain = plain_run(tmp_path / 'plain', train=20, val=5)
    ies = ies_run(tmp_path / 'ies', saved=0.5, train=12, val=9, ends=2)
    rows = compare_runs([ies, plain]).rows
    assert [row.group.label for row in rows] == ['plain', 'IES']
    gain = rows[1].speed_up
    assert gain is not None
    # 4 epochs of 20 s, against 4 of 12 s and 2 s at the end.
    assert gain.factor == pytest.approx(80 / 50)
    assert gain.limit == 2
    assert gain.share == pytest.approx(0.8)
    assert rows[0].speed_up is not None
    assert rows[0].speed_up.factor == 1


def test_rounding_is_no_smaller_image(tmp_path: Path) -> None:
    """The mean of 1 - saved is not always 1 minus the mean of saved."""
    runs = [
        ies_run(tmp_path / f'{saved}', seed, {4: 0.6}, saved=saved)
        for seed, saved in enumerate((0.1, 0.2, 0.3, 0.1999))
    ]
    for chosen in combinations(runs, 3):
        notes = compare_runs(chosen).notes
        assert not any('smaller images' in note for note in notes)


def test_smaller_images_count_by_their_pixels(tmp_path: Path) -> None:
    """Two of four epochs at half the side: 2.5 of 4 epochs' pixels."""
    plain = plain_run(tmp_path / 'plain', train=20)
    small = ies_run(
        tmp_path / 'small', saved=0, train=16, method='EfficientTrain'
    )
    shares = (0.25, 0.25, 1.0, 1.0)
    records = [
        record(epoch, method='EfficientTrain', pixels=share)
        for epoch, share in enumerate(shares, 1)
    ]
    write_records(small, records)
    comparison = compare_runs([small, plain])
    row = comparison.rows[1]
    assert row.figures.compute == Spread(0.625, None)
    assert row.speed_up is not None
    assert row.speed_up.limit == pytest.approx(4 / 2.5)
    assert 'EfficientTrain, 38% saved' in comparison.verdict
    [note] = [n for n in comparison.notes if 'smaller images' in n]
    assert '62.5% of the pixels' in note


def test_seconds_of_a_selected_run_are_sums_of_its_records(
    tmp_path: Path,
) -> None:
    [row] = compare_runs([ies_run(tmp_path, train=11)]).rows
    figures = row.figures
    assert figures.training_seconds == Spread(20, None)
    assert figures.refresh_seconds == Spread(4, None)
    assert figures.decision_seconds == Spread(2, None)
    assert figures.total_seconds == Spread(44, None)
    assert figures.forward_only == Spread(12, None)
    assert figures.saved == Spread(0.3, None)


def test_training_seconds_of_a_plain_run_are_its_wall_time(
    tmp_path: Path,
) -> None:
    comparison = compare_runs([plain_run(tmp_path, train=10, val=3)])
    figures = comparison.rows[0].figures
    assert figures.training_seconds == Spread(40, None)
    assert figures.refresh_seconds is None
    assert any(note.startswith('seconds in') for note in comparison.notes)


def test_early_stopping_is_compared_with_plain(tmp_path: Path) -> None:
    """It is not a baseline, although its config differs only in a hook."""
    stopping = write_start(
        tmp_path / 'a',
        config_of(default_hooks__stop=dict(type='EarlyStoppingHook')),
        epoch_scalars({2: 0.5}, 2),
        [
            *epoch_log(2, train=10),
            (20, 'Stopping threshold reached: `mAP` = 0.5 is greater'),
        ],
    )
    plain = plain_run(tmp_path / 'b', train=10)
    ies = ies_run(tmp_path / 'c', train=8)
    rows = compare_runs([stopping, plain, ies]).rows
    factors = {row.group.label: row.speed_up for row in rows}
    assert list(factors) == ['plain', 'Early Stopping', 'IES']
    expected = {'plain': 1.0, 'Early Stopping': 2.0, 'IES': 1.25}
    assert {
        label: gain and gain.factor for label, gain in factors.items()
    } == expected


def test_early_stopping_of_all_is_no_method(tmp_path: Path) -> None:
    """Nor are the epochs saved that it does not train."""
    hook = [dict(type='EarlyStoppingHook', monitor='mAP')]
    for name, changes, seconds in (
        ('p', {}, 10),
        ('s', {'ies_mm_length': 0.5}, 5),
        ('i', {'hook': {}}, 8),
    ):
        log = epoch_log(2, seconds)
        log.append((2 * seconds, 'Stopping threshold reached: `mAP` = 0.5'))
        write_start(
            tmp_path / name,
            config_of(custom_hooks=hook, **changes),
            epoch_scalars({2: 0.5}, 2),
            log,
        )
    write_records(tmp_path / 'i', [record(e, saved=0.2) for e in (1, 2)])
    found = compare_runs([tmp_path / name for name in 'psi'])
    labels = [row.group.label for row in found.rows]
    assert labels == ['plain', 'short plain 50%', 'IES']
    assert 'IES, 20% saved' in found.verdict
    gain = found.rows[-1].speed_up
    assert gain is not None
    assert (gain.factor, gain.limit) == (1.25, 1.25)


def test_epochs_that_were_not_trained_are_saved(tmp_path: Path) -> None:
    """All mastered after 2 of 4 epochs, of which a tenth was pruned."""
    run = tmp_path / 'i'
    write_start(
        run, config_of(hook={}), epoch_scalars({2: 0.6}, 2), epoch_log(2)
    )
    write_records(run, [record(epoch, saved=0.1) for epoch in (1, 2)])
    write_lines(run / 'ies' / END, [dict(epochs=2, reason='mastered')])
    short = [short_run(tmp_path / f'{k}', 0, 0.5, k, 4) for k in (0.45, 0.9)]
    found = compare_runs([plain_run(tmp_path / 'p'), run, *short])
    [row] = [row for row in found.rows if row.group.method == 'IES']
    assert row.figures.saved.mean == pytest.approx(0.55)
    assert row.figures.compute.mean == pytest.approx(0.45)
    assert 'IES, 55% saved' in found.verdict
    assert 'equal compute (short plain 45%)' in found.verdict
    assert any('ended after 2 of 4 epochs' in note for note in found.notes)


def test_a_speed_up_beyond_its_limit_is_not_believed(tmp_path: Path) -> None:
    plain = plain_run(tmp_path / 'a', train=20)
    within = ies_run(tmp_path / 'b', saved=0.5, train=11)
    beyond = ies_run(tmp_path / 'c', saved=0.4, train=11)
    expected = 'faster than the savings allow: IES. '
    for run, noted in ((within, False), (beyond, True)):
        notes = compare_runs([plain, run]).notes
        assert any(note.startswith(expected) for note in notes) == noted


def test_of_plain_groups_that_differ_by_a_hook_the_fastest_counts(
    tmp_path: Path,
) -> None:
    config = config_of(custom_hooks=[dict(type='EMAHook')])
    slow = write_start(
        tmp_path / 'slow', config, epoch_scalars({4: 0.5}, 4), epoch_log(4, 30)
    )
    fast = plain_run(tmp_path / 'fast', train=20)
    ies = ies_run(tmp_path / 'ies', train=10)
    row = compare_runs([slow, fast, ies]).rows[-1]
    assert row.speed_up is not None
    assert row.speed_up.factor == 2


def test_a_baseline_of_another_config_is_named(tmp_path: Path) -> None:
    config = config_of(train_dataloader__batch_size=16)
    plain = write_start(
        tmp_path / 'a', config, epoch_scalars({4: 0.5}, 4), epoch_log(4)
    )
    notes = compare_runs([plain, ies_run(tmp_path / 'b')]).notes
    expected = (
        'IES is compared with plain, whose config differs not only in the '
        'method: train_dataloader.batch_size'
    )
    assert expected in notes


def test_an_unfinished_run_is_flagged_and_has_no_speed_up(
    tmp_path: Path,
) -> None:
    plain = plain_run(tmp_path / 'a')
    running = write_start(
        tmp_path / 'b', config_of(1), epoch_scalars({2: 0.4}, 3), epoch_log(3)
    )
    comparison = compare_runs([running, plain])
    assert [row.group.label for row in comparison.rows] == ['plain', 'plain *']
    assert comparison.rows[1].speed_up is None
    assert f'* unfinished: {running}, 2 of 4 epochs' in comparison.notes


def test_nor_has_an_unfinished_run_of_a_method(tmp_path: Path) -> None:
    """Half a training is not a fast training."""
    running = ies_run(tmp_path / 'a', values={2: 0.5}, train=1)
    rows = compare_runs([running, plain_run(tmp_path / 'b')]).rows
    assert (rows[1].group.label, rows[1].speed_up) == ('IES *', None)
