"""A work directory is read as the run that happened in it."""

from pathlib import Path

import pytest

from ies_mm import engine
from ies_mm.errors import ConfigError
from ies_mm.report.reading.methods import METHODS, OBSERVES
from ies_mm.report.reading.runs import read_run
from work_dirs import (
    config_of,
    epoch_scalars,
    ies_run,
    plain_run,
    record,
    write_lines,
    write_records,
    write_start,
)

MAP = 'pascal_voc/mAP'


def test_a_plain_run(tmp_path: Path) -> None:
    run = read_run(plain_run(tmp_path, seed=3, train=10, val=4, ends=2))
    assert (run.method, run.seed, run.starts) == ('plain', 3, 1)
    assert run.points == {MAP: {2: 0.5, 4: 0.6}}
    assert run.total_seconds == 4 * 14 + 2
    assert run.validation_seconds == 4 * 4
    assert run.training_wall == 4 * 10 + 2
    assert run.progress.finished
    assert str(run.progress) == '4 of 4 epochs'
    assert (run.records, run.saved, run.notes) == ([], 0.0, [])


def test_a_selected_run(tmp_path: Path) -> None:
    run = read_run(ies_run(tmp_path, excluded=(0, 1, 2, 3), saved=0.15))
    assert (run.method, run.saved) == ('IES', 0.15)
    assert run.total('forward_only') == 6
    assert run.total('train_seconds') == 20


def test_the_method_is_what_the_records_say(tmp_path: Path) -> None:
    write_records(tmp_path, [record(1, method='Small Loss & Rescale')])
    write_start(tmp_path, config_of(hook={}), epoch_scalars({}, 1))
    assert read_run(tmp_path).method == 'Small Loss & Rescale'


def test_a_dry_run_is_called_so(tmp_path: Path) -> None:
    run = read_run(ies_run(tmp_path, hook={'dry_run': True}))
    assert (run.method, run.dry_run) == ('IES dry run', True)


def test_a_hook_among_the_custom_ones(tmp_path: Path) -> None:
    config = config_of(hook={'dry_run': True})
    config['custom_hooks'] = [config['default_hooks'].pop('ies')]
    write_records(tmp_path, [record(1)])
    write_start(tmp_path, config, epoch_scalars({}, 1))
    assert read_run(tmp_path).method == 'IES dry run'


def test_early_stopping_is_a_method_and_not_plain(tmp_path: Path) -> None:
    hook = dict(type='mmengine.hooks.EarlyStoppingHook', monitor='mAP')
    write_start(tmp_path, config_of(custom_hooks=[hook]), [])
    run = read_run(tmp_path)
    assert (run.method, run.selected) == ('Early Stopping', False)


def test_records_of_another_run_are_left_out(tmp_path: Path) -> None:
    write_records(tmp_path, [record(1)])
    run = read_run(plain_run(tmp_path))
    assert (run.method, run.records) == ('plain', [])
    assert any('/ies was ignored' in note for note in run.notes)


def test_nan_is_no_reason_to_fail(tmp_path: Path) -> None:
    work_dir = plain_run(tmp_path, values={2: float('nan'), 4: 0.6})
    assert read_run(work_dir).points[MAP][4] == 0.6


def test_a_later_test_of_the_checkpoint_is_no_part(tmp_path: Path) -> None:
    work_dir = plain_run(tmp_path)
    write_start(
        work_dir, config_of(), [], [(0, 'Epoch(test)')], '20260103_100000'
    )
    assert read_run(work_dir).points == {MAP: {2: 0.5, 4: 0.6}}


def test_without_a_log_the_seconds_are_not_known(tmp_path: Path) -> None:
    work_dir = write_start(tmp_path, config_of(), epoch_scalars({4: 0.5}, 4))
    run = read_run(work_dir)
    assert (run.total_seconds, run.training_wall) == (None, None)
    assert 'has no text log' in run.notes[0]


def test_lost_scalars_are_noted(tmp_path: Path) -> None:
    work_dir = ies_run(tmp_path)
    [scalars] = work_dir.glob('*/vis_data/scalars.json')
    assert 'metrics are unknown' not in ''.join(read_run(work_dir).notes)
    scalars.unlink()
    run = read_run(work_dir)
    assert run.points == {}
    assert any('its metrics are unknown' in note for note in run.notes)


def refused(work_dir: Path, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason) as error:
        read_run(work_dir)
    assert '\n' not in str(error.value)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    refused(tmp_path / 'none', 'there is no .*none; give')


def test_an_empty_folder(tmp_path: Path) -> None:
    refused(tmp_path, 'contains no run: .* give the work_dir of a run')


def test_a_folder_of_work_directories(tmp_path: Path) -> None:
    plain_run(tmp_path / 'a')
    refused(tmp_path, 'not a work directory itself, but contains 1, for ex')


def test_a_file(tmp_path: Path) -> None:
    path = tmp_path / 'file'
    path.write_text('')
    refused(path, 'file cannot be read: Not a directory')


def test_a_folder_that_may_not_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(path: Path) -> None:
        raise PermissionError(13, 'Permission denied', str(path))

    monkeypatch.setattr(Path, 'iterdir', denied)
    refused(plain_run(tmp_path), 'cannot be read: Permission denied')


def test_a_broken_config(tmp_path: Path) -> None:
    path = plain_run(tmp_path) / '20260101_100000' / 'vis_data' / 'config.py'
    path.write_text('a = (')
    refused(tmp_path, r'config\.py is not a config that MMEngine dumped')


def test_a_config_without_a_length(tmp_path: Path) -> None:
    write_start(tmp_path, config_of(train_cfg=None), epoch_scalars({}, 1))
    refused(tmp_path, 'is not a training run: train_cfg has neither')


def test_records_of_another_version(tmp_path: Path) -> None:
    ies_run(tmp_path)
    (tmp_path / 'ies' / 'epochs.jsonl').unlink()
    write_lines(tmp_path / 'ies' / 'epochs.jsonl', [{'epoch': 1}])
    refused(tmp_path, 'is from another version: line 1 has no decide_seconds')


def test_our_sampler_without_a_hook_is_a_plain_training(
    tmp_path: Path,
) -> None:
    config = config_of(hook={})
    del config['default_hooks']['ies']
    write_start(tmp_path, config, epoch_scalars({}, 1))
    run = read_run(tmp_path)
    assert (run.method, run.selected) == ('plain', False)


def test_a_sampler_of_one_s_own_is_known_by_the_hook(tmp_path: Path) -> None:
    config = config_of(hook={})
    config['train_dataloader']['sampler']['type'] = 'OwnSampler'
    write_records(tmp_path, [record(1)])
    write_start(tmp_path, config, epoch_scalars({}, 1))
    run = read_run(tmp_path)
    assert (run.method, run.selected) == ('IES', True)


def test_a_config_that_imports_its_classes(tmp_path: Path) -> None:
    """The dump has their full paths, here of 0.1.0 and of today."""
    config = config_of(hook={'type': 'ies_mm.engine.soft.SoftIESHook'})
    sampler = config['train_dataloader']['sampler']
    sampler['type'] = 'ies_mm.training.data.sampler.IESSampler'
    write_start(tmp_path, config, epoch_scalars({}, 1))
    assert read_run(tmp_path).method == 'SoftIES'


def test_all_hooks_of_ours_are_known() -> None:
    hooks = {name for name in engine.__all__ if name.endswith('Hook')}
    beside = {'TrainingDynamicsHook', 'HeadOnlyHook'}
    assert {*METHODS, OBSERVES} == hooks - beside


def resumed_as(folder: Path, config: dict) -> Path:
    """Seed 0 with IES for two epochs, then two more with another config."""
    write_records(folder, [record(epoch) for epoch in range(1, 5)])
    lines = epoch_scalars({4: 0.6}, 4)
    half = [line for line in lines if line.get('iter', 99) <= 20]
    write_start(folder, config_of(0, {}), half)
    return write_start(
        folder,
        config | dict(resume=True),
        [line for line in lines if line not in half],
        stamp='20260101_110000',
    )


@pytest.mark.parametrize(
    ('config', 'fault'),
    [
        (config_of(0), 'another method: IESHook, then plain'),
        (config_of(1, {}), 'another seed: 0, then 1'),
    ],
)
def test_a_run_resumed_as_another_training_is_refused(
    tmp_path: Path, config: dict, fault: str
) -> None:
    with pytest.raises(ConfigError, match=f'was resumed with {fault}'):
        read_run(resumed_as(tmp_path, config))


def test_a_run_resumed_as_itself_keeps_its_seed(tmp_path: Path) -> None:
    config = config_of(0, {})
    del config['randomness']
    run = read_run(resumed_as(tmp_path, config))
    assert (run.starts, run.seed, run.method) == (2, 0, 'IES')


@pytest.mark.parametrize('kept', [0, 2])
def test_epochs_without_records_are_said(tmp_path: Path, kept: int) -> None:
    """Lost, or not written when the disk was full."""
    run = ies_run(tmp_path)
    path = run / 'ies/epochs.jsonl'
    lines = path.read_text().splitlines(keepends=True)
    path.write_text(''.join(lines[:kept]))
    [note] = read_run(run).notes
    assert f'no records from epoch {kept + 1} on: ' in note
