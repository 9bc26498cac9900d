"""Figures of groups, and refusals."""

import json
from pathlib import Path
from typing import Any

import pytest

from ies_mm.errors import ConfigError
from ies_mm.report.comparing.comparison import compare_runs
from ies_mm.report.comparing.figures import Spread
from ies_mm.report.comparing.notes import Comparison
from ies_mm.report.showing.as_json import as_json
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


def strict(comparison: Comparison) -> Any:
    """Parse the JSON file strictly, without NaN."""

    def refuse(name: str) -> None:
        raise AssertionError(f'{name} is no JSON')

    return json.loads(as_json(comparison), parse_constant=refuse)


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


def test_a_speed_up_beyond_its_limit_is_not_believed(tmp_path: Path) -> None:
    plain = plain_run(tmp_path / 'a', train=20)
    within = ies_run(tmp_path / 'b', saved=0.5, train=11)
    beyond = ies_run(tmp_path / 'c', saved=0.4, train=11)
    expected = 'IES is faster than its savings allow'
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


def test_a_crashed_run_takes_no_metric_from_the_others(tmp_path: Path) -> None:
    crashed = write_start(tmp_path / 'a', config_of(), epoch_scalars({}, 1))
    comparison = compare_runs([crashed, plain_run(tmp_path / 'b')])
    assert comparison.metric == 'pascal_voc/mAP'
    assert comparison.rows[1].figures.best is None


def test_no_run_has_been_validated(tmp_path: Path) -> None:
    crashed = write_start(tmp_path, config_of(), epoch_scalars({}, 1))
    assert compare_runs([crashed]).metric is None
    with pytest.raises(ConfigError, match='no run has been validated yet'):
        compare_runs([crashed], 'mAP')


def test_a_directory_given_twice_counts_once(tmp_path: Path) -> None:
    plain_run(tmp_path / 'a')
    given = [tmp_path / 'a', tmp_path / 'b' / '..' / 'a']
    (tmp_path / 'b').mkdir()
    comparison = compare_runs(given)
    assert len(comparison.rows[0].group.runs) == 1
    assert any(note.startswith('1 of the') for note in comparison.notes)


def test_the_folder_of_an_earlier_comparison_is_passed_over(
    tmp_path: Path,
) -> None:
    run, before = plain_run(tmp_path / 'a'), tmp_path / 'compare'
    before.mkdir()
    (before / 'compare.json').write_text('{}')
    assert len(compare_runs([run, before]).rows) == 1
    with pytest.raises(ConfigError, match='compare contains no run'):
        compare_runs([before])


def test_seeds_that_are_the_same_are_named(tmp_path: Path) -> None:
    runs = [plain_run(tmp_path / 'a', 3), plain_run(tmp_path / 'b', 3)]
    notes = compare_runs(runs).notes
    assert any('2 runs have the seed 3' in note for note in notes)


def metric_run(work_dir: Path, *metrics: str) -> Path:
    lines = epoch_scalars({4: 0.5}, 4, metrics[0])
    lines[-1] |= dict.fromkeys(metrics, 0.5)
    return write_start(work_dir, config_of(), lines)


def test_a_well_known_metric_that_all_have_is_chosen(tmp_path: Path) -> None:
    a = metric_run(tmp_path / 'a', 'x', 'coco/bbox_mAP_50', 'coco/bbox_mAP')
    b = metric_run(tmp_path / 'b', 'coco/bbox_mAP', 'x', 'pascal_voc/mAP')
    assert compare_runs([a, b]).metric == 'coco/bbox_mAP'
    assert compare_runs([a, b], 'x').metric == 'x'


def test_else_the_first_common_one(tmp_path: Path) -> None:
    a = metric_run(tmp_path / 'a', 'p', 'q', 'r')
    b = metric_run(tmp_path / 'b', 'r', 'q')
    assert compare_runs([a, b]).metric == 'q'


def test_an_unknown_metric_names_what_there_is(tmp_path: Path) -> None:
    runs = [metric_run(tmp_path / 'a', 'p', 'q')]
    with pytest.raises(ConfigError, match=r'common metrics: p, q$'):
        compare_runs(runs, 'z')


def test_no_common_metric(tmp_path: Path) -> None:
    runs = [metric_run(tmp_path / 'a', 'p'), metric_run(tmp_path / 'b', 'q')]
    with pytest.raises(ConfigError, match='no validation metric in common'):
        compare_runs(runs)


@pytest.mark.parametrize(
    ('key', 'value', 'named'),
    [
        ('data_root', 'data/coco/', 'train_dataloader.dataset.data_root'),
        ('ann_file', 'x.txt', "ann_file is 'train.txt' in the first"),
        ('type', 'CocoDataset', 'CocoDataset'),
        ('indices', 100, 'indices is None in the first and 100'),
        ('data_prefix', {'img': 'a'}, 'data_prefix.img'),
    ],
)
def test_runs_on_different_data_are_refused(
    tmp_path: Path, key: str, value: object, named: str
) -> None:
    one = plain_run(tmp_path / 'one')
    config = config_of(**{f'train_dataloader__dataset__{key}': value})
    two = write_start(tmp_path / 'two', config, epoch_scalars({4: 0.5}, 4))
    with pytest.raises(ConfigError) as error:
        compare_runs([one, two])
    message = str(error.value)
    assert named in message
    assert str(one) in message
    assert str(two) in message
    assert '\n' not in message


def test_a_wrapped_data_set_is_looked_into(tmp_path: Path) -> None:
    inner = config_of()['train_dataloader']['dataset']
    paths = []
    for name in ('a', 'b'):
        wrapper = dict(
            type='ConcatDataset', datasets=[inner, inner | {'ann_file': name}]
        )
        config = config_of(train_dataloader__dataset=wrapper)
        scalars = epoch_scalars({4: 0.5}, 4)
        paths.append(write_start(tmp_path / name, config, scalars))
    with pytest.raises(ConfigError, match=r'datasets\.1\.ann_file'):
        compare_runs(paths)


def test_other_pipelines_are_no_other_data(tmp_path: Path) -> None:
    inner = config_of()['train_dataloader']['dataset']
    paths = []
    for name in ('a', 'b'):
        wrapper = dict(
            type='ConcatDataset', datasets=[inner | {'pipeline': name}]
        )
        config = config_of(train_dataloader__dataset=wrapper)
        scalars = epoch_scalars({4: 0.5}, 4)
        paths.append(write_start(tmp_path / name, config, scalars))
    assert len(compare_runs(paths).rows) == 2


def test_other_validation_data_are_refused(tmp_path: Path) -> None:
    config = config_of(val_dataloader__dataset__ann_file='test.txt')
    other = write_start(tmp_path / 'a', config, epoch_scalars({4: 0.5}, 4))
    with pytest.raises(ConfigError, match=r'val_dataloader\.dataset\.ann'):
        compare_runs([plain_run(tmp_path / 'b'), other])


def test_a_slash_at_the_end_is_no_difference(tmp_path: Path) -> None:
    config = config_of(train_dataloader__dataset__data_root='data/voc')
    other = write_start(tmp_path / 'a', config, epoch_scalars({4: 0.5}, 4))
    compare_runs([plain_run(tmp_path / 'b'), other])


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
