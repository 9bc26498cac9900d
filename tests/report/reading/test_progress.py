"""Whether a run has finished, and the steps of its validations."""

from pathlib import Path

import pytest

from ies_mm.report.reading.runs import read_run
from work_dirs import (
    config_of,
    epoch_log,
    epoch_scalars,
    record,
    write_records,
    write_start,
)

MAP = 'pascal_voc/mAP'


def test_a_run_that_crashed_before_a_validation(tmp_path: Path) -> None:
    work_dir = write_start(
        tmp_path, config_of(), epoch_scalars({}, 2), epoch_log(2)
    )
    scalars = work_dir / '20260101_100000' / 'vis_data' / 'scalars.json'
    with scalars.open('a') as lines:
        lines.write('{"lr": 0.1, "los')
    run = read_run(work_dir)
    assert run.points == {}
    # The second epoch was begun, but not necessarily completed.
    assert str(run.progress) == '1 of 4 epochs'
    assert not run.progress.finished


def test_a_run_that_crashed_before_the_first_line(tmp_path: Path) -> None:
    run = read_run(write_start(tmp_path, config_of(hook={}), [], []))
    assert (run.method, str(run.progress)) == ('IES', '0 of 4 epochs')
    assert not run.progress.finished


def test_all_epochs_without_the_last_validation_are_not_the_end(
    tmp_path: Path,
) -> None:
    write_records(tmp_path, [record(epoch) for epoch in range(1, 5)])
    write_start(tmp_path, config_of(hook={}), epoch_scalars({2: 0.5}, 4))
    run = read_run(tmp_path)
    assert str(run.progress) == '4 of 4 epochs'
    assert not run.progress.finished


def test_epochs_as_a_float(tmp_path: Path) -> None:
    """MMEngine accepts whole numbers as floats."""
    config = config_of(train_cfg__max_epochs=4.0)
    run = read_run(write_start(tmp_path, config, epoch_scalars({4: 0.5}, 4)))
    assert str(run.progress) == '4 of 4 epochs'
    assert run.progress.finished


@pytest.mark.parametrize('stopped', [True, False])
def test_an_early_stop_is_an_end(tmp_path: Path, stopped: bool) -> None:
    log = epoch_log(3)
    if stopped:
        log.append((40, 'Stopping threshold reached: `mAP` = 0.9 is greater'))
    write_start(tmp_path, config_of(), epoch_scalars({3: 0.9}, 3), log)
    run = read_run(tmp_path)
    assert run.progress.finished == stopped
    assert str(run.progress) == '3 of 4 epochs'


def test_a_run_without_validations_ends_with_its_checkpoint(
    tmp_path: Path,
) -> None:
    config = config_of(val_cfg=None)
    log = [*epoch_log(4), (50, 'Saving checkpoint at 4 epochs')]
    write_start(tmp_path / 'a', config, epoch_scalars({}, 4), log)
    write_start(tmp_path / 'b', config, epoch_scalars({}, 4), epoch_log(4))
    assert read_run(tmp_path / 'a').progress.finished
    assert not read_run(tmp_path / 'b').progress.finished


def iterations(*validated: int, by_epoch: bool = False) -> list[dict]:
    """A line every ten iterations, up to the last validation."""
    lines = []
    for done in range(10, max(validated) + 1, 10):
        lines.append(dict(loss=1.0, lr=0.1, iter=done, step=done))
        at = [step for step in validated if done <= step < done + 10]
        for step in at:
            lines.append(dict(mIoU=50.0 + step, step=0 if by_epoch else step))
    return lines


def by_iterations(hook: dict | None = None) -> dict:
    config = config_of(
        hook=hook,
        train_cfg=dict(type='IterBasedTrainLoop', max_iters=100),
    )
    config['default_hooks']['logger']['log_metric_by_epoch'] = False
    return config


def test_an_iteration_based_run(tmp_path: Path) -> None:
    run = read_run(write_start(tmp_path, by_iterations(), iterations(40, 80)))
    assert run.points == {'mIoU': {40: 90.0, 80: 130.0}}
    assert str(run.progress) == '80 of 100 iterations'
    assert not run.progress.finished


def test_a_finished_iteration_based_run(tmp_path: Path) -> None:
    lines = iterations(40, 80, 100)
    run = read_run(write_start(tmp_path, by_iterations(), lines))
    assert run.progress.finished


def test_validations_that_say_epoch_0_follow_the_training_lines(
    tmp_path: Path,
) -> None:
    """MMEngine's default log_metric_by_epoch writes step 0 there."""
    config = by_iterations()
    del config['default_hooks']['logger']['log_metric_by_epoch']
    config['train_cfg']['val_interval'] = 40
    lines = iterations(40, 80, by_epoch=True)
    run = read_run(write_start(tmp_path, config, lines))
    assert run.points == {'mIoU': {40: 90.0, 80: 130.0}}


@pytest.mark.parametrize(
    ('end', 'interval', 'resumed'),
    [(105, 35, 0), (105, 5, 0), (100, 20, 0), (105, 35, 40), (98, 13, 33)],
)
def test_validations_between_two_training_lines(
    tmp_path: Path, end: int, interval: int, resumed: int
) -> None:
    """Against MMEngine's rule; only every tenth iteration is logged."""
    config = by_iterations()
    del config['default_hooks']['logger']['log_metric_by_epoch']
    config['train_cfg'] |= dict(max_iters=end, val_interval=interval)
    config['resume'] = resumed > 0
    lines, expected = [], {}
    for done in range(resumed + 1, end + 1):
        if done % 10 == 0:
            lines.append(dict(loss=1.0, iter=done, step=done))
        if done % 15 == 0:  # of PerImageLossHook
            lines.append({'ies/loss/mean': 1.0, 'step': done})
        if done % interval == 0 or done == end:
            lines.append(dict(mIoU=50.0 + done, step=0))
            expected[done] = 50.0 + done
    run = read_run(write_start(tmp_path, config, lines))
    assert run.points == {'mIoU': expected}
    assert run.progress.finished
    assert run.progress.done == end


def test_an_iteration_based_run_without_validations(tmp_path: Path) -> None:
    config = by_iterations()
    config['train_cfg']['max_iters'] = 105
    config['val_cfg'] = None
    lines = [dict(loss=1.0, iter=i, step=i) for i in range(10, 105, 10)]
    for name, said, done in (('a', 105, True), ('b', 100, False)):
        log = [(0, f'Saving checkpoint at {said} iterations')]
        run = read_run(write_start(tmp_path / name, config, lines, log))
        assert run.progress.finished is done


def test_epochs_of_validations_that_say_iterations(tmp_path: Path) -> None:
    config = config_of(default_hooks__logger__log_metric_by_epoch=False)
    lines = epoch_scalars({2: 0.5, 4: 0.6}, 4)
    for line in lines:
        if MAP in line:
            line['step'] *= 10
    run = read_run(write_start(tmp_path, config, lines))
    assert run.points == {MAP: {2: 0.5, 4: 0.6}}


@pytest.mark.parametrize(
    ('last', 'ended', 'finished'),
    [
        (70, False, False),
        (77, False, True),
        (75, False, False),
        (75, True, True),
    ],
)
def test_skipped_images_bring_the_end_forward(
    tmp_path: Path, last: int, ended: bool, finished: bool
) -> None:
    message = 'Iter(train) [ 70/ 77]  lr: 1e-3'
    work_dir = write_start(
        tmp_path, by_iterations({}), iterations(40, last), [(0, message)]
    )
    write_records(work_dir, [record(1, saved=0.3)])
    if ended:
        event = '{"epochs": 7, "reason": "planned"}'
        (work_dir / 'ies' / 'end.json').write_text(event)
    run = read_run(work_dir)
    assert run.progress.finished == finished
    assert str(run.progress) == f'{last} of 100 iterations'
