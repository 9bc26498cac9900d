"""A resumed run is assembled from its own parts only."""

from pathlib import Path

from ies_mm.report.reading.runs import read_run
from work_dirs import config_of, epoch_log, epoch_scalars, write_start

MAP = 'pascal_voc/mAP'


def two_starts(tmp_path: Path, second: dict, first_epoch: int) -> Path:
    """Three epochs, then a second start up to the fourth."""
    write_start(
        tmp_path,
        config_of(load_from='weights.pth'),
        epoch_scalars({1: 0.1, 2: 0.2, 3: 0.3}, 3),
        epoch_log(3, train=10),
        stamp='20260101_100000',
    )
    lines = epoch_scalars({3: 0.35, 4: 0.4}, 4)
    write_start(
        tmp_path,
        config_of(**second),
        [x for x in lines if x.get('epoch', x['step']) >= first_epoch],
        epoch_log(2, train=7),
        stamp='20260102_100000',
    )
    return tmp_path


def test_parts_are_merged_and_later_ones_win(tmp_path: Path) -> None:
    run = read_run(two_starts(tmp_path, {'resume': True}, first_epoch=3))
    assert run.points == {MAP: {1: 0.1, 2: 0.2, 3: 0.35, 4: 0.4}}
    assert (run.starts, run.total_seconds) == (2, 30 + 14)
    assert 'was resumed (2 parts)' in run.notes[0]
    assert run.progress.finished


def test_the_weights_are_those_that_the_run_began_with(
    tmp_path: Path,
) -> None:
    second = {'resume': True, 'load_from': 'epoch_2.pth'}
    run = read_run(two_starts(tmp_path, second, first_epoch=3))
    assert run.config['load_from'] == 'weights.pth'


def test_an_older_run_in_the_folder_is_no_part(tmp_path: Path) -> None:
    run = read_run(two_starts(tmp_path, {}, first_epoch=1))
    assert run.points == {MAP: {3: 0.35, 4: 0.4}}
    assert (run.starts, run.total_seconds, run.notes) == (1, 14, [])


def test_nor_is_one_that_was_logged_more_often(tmp_path: Path) -> None:
    """Its first line is later than the older run's."""
    run = read_run(two_starts(tmp_path, {}, first_epoch=3))
    assert (run.starts, run.total_seconds) == (1, 14)


def test_resumed_without_a_checkpoint_is_a_new_run(tmp_path: Path) -> None:
    """MMEngine starts over if resume finds no checkpoint."""
    run = read_run(two_starts(tmp_path, {'resume': True}, first_epoch=1))
    assert (run.starts, run.total_seconds) == (1, 14)


def test_it_may_resume_from_the_same_checkpoint_twice(tmp_path: Path) -> None:
    """Killed, resumed, killed before the next checkpoint, and resumed."""
    two_starts(tmp_path, {'resume': True}, first_epoch=3)
    lines = [x for x in epoch_scalars({3: 0.6}, 5) if x['step'] in (3, 30, 50)]
    write_start(
        tmp_path, config_of(resume=True), lines, epoch_log(1, train=5),
        stamp='20260103_100000',
    )  # fmt: skip
    run = read_run(tmp_path)
    assert run.points == {MAP: {1: 0.1, 2: 0.2, 3: 0.6}}
    assert (run.starts, run.total_seconds) == (3, 30 + 14 + 5)
    assert not any('another folder' in note for note in run.notes)


def test_what_was_before_a_fresh_start_is_no_part(tmp_path: Path) -> None:
    """Of three starts, the second was fresh, and the third resumed it."""
    two_starts(tmp_path, {}, first_epoch=1)
    lines = [x for x in epoch_scalars({4: 0.5}, 4) if x['step'] in (4, 40)]
    stamp = '20260103_100000'
    write_start(
        tmp_path, config_of(resume=True), lines, epoch_log(1), stamp=stamp
    )
    run = read_run(tmp_path)
    assert run.points == {MAP: {3: 0.35, 4: 0.5}}
    assert (run.starts, run.total_seconds) == (2, 14 + 10)


def test_resumed_from_another_folder(tmp_path: Path) -> None:
    lines = [x for x in epoch_scalars({4: 0.4}, 4) if x['step'] != 10]
    work_dir = write_start(
        tmp_path, config_of(resume=True), lines, epoch_log(3)
    )
    run = read_run(work_dir)
    assert run.total_seconds is None
    assert 'resumed from a checkpoint of another folder' in run.notes[0]
