"""Which runs can be compared, and by which metric."""

from pathlib import Path

import pytest

from ies_mm.errors import ConfigError
from ies_mm.report.comparing.comparison import compare_runs
from work_dirs import config_of, epoch_scalars, plain_run, write_start


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
    assert (
        '1 directory was given more than once and is counted once'
        in comparison.notes
    )


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
        ('fold', 1, 'fold is None in the first and 1'),
        ('data_root', 's3://a//b', "'s3://a//b' in the second"),
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


@pytest.mark.parametrize('root', ['data/voc', './data/voc/', 'data/x/../voc'])
def test_other_spellings_of_a_folder_are_no_other_data(
    tmp_path: Path, root: str
) -> None:
    runs = []
    for name, data_root in (('a', 'data/voc/'), ('b', root)):
        config = config_of(train_dataloader__dataset__data_root=data_root)
        scalars = epoch_scalars({4: 0.5}, 4)
        runs.append(write_start(tmp_path / name, config, scalars))
    assert len(compare_runs(runs).rows) == 1


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
