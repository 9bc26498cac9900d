"""``ies-mm train``: the seed, and a learning rate scaled by the batch size."""

import json
from pathlib import Path

import pytest
from mmengine.config import Config

from commands import TRAIN, call
from ies_mm.commands.train import check
from ies_mm.configuring.preflight import check_config
from ies_mm.errors import ConfigError
from ies_mm.report.comparing.comparison import compare_runs
from method_cases import config_of
from task_runs import make_folders


@pytest.fixture(scope='module')
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_folders(tmp_path_factory.mktemp('folders'), 20)


def plain(folders: Path, work_dir: Path) -> Config:
    config = config_of(folders, work_dir, 2)
    config.train_dataloader.sampler.type = 'DefaultSampler'
    config.log_level = 'INFO'
    return config


def dumped(work_dir: Path) -> Config:
    [path] = work_dir.glob('2*/vis_data/config.py')
    return Config.fromfile(path)


def test_seeds_have_folders_of_their_own(
    folders: Path, tmp_path: Path
) -> None:
    """And ``ies-mm compare`` takes them for seeds of one run."""
    plain(folders, tmp_path / 'run').dump(tmp_path / 'run.py')
    for seed in (3, 4):
        result = call(TRAIN, tmp_path / 'run.py', '--seed', seed)
        assert result.returncode == 0, result.stderr
    runs = [tmp_path / f'run_seed_{seed}' for seed in (3, 4)]
    assert [dumped(run).randomness.seed for run in runs] == [3, 4]
    [row] = compare_runs(runs).rows
    assert [run.seed for run in row.group.runs] == [3, 4]


def test_the_rest_of_the_randomness_stays(
    folders: Path, tmp_path: Path
) -> None:
    """And so does a folder that was named."""
    config = plain(folders, tmp_path / 'run')
    config.randomness = dict(seed=1, deterministic=True)
    config.dump(tmp_path / 'run.py')
    named = tmp_path / 'named'
    options = ['--seed', 2, '--length', 0.5, '--work-dir', named]
    result = call(TRAIN, tmp_path / 'run.py', *options)
    assert result.returncode == 0, result.stderr
    assert dumped(named).randomness == dict(seed=2, deterministic=True)
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == [
        'named'
    ]


def test_length_and_seed_are_in_the_folder_s_name(
    folders: Path, tmp_path: Path
) -> None:
    config = plain(folders, tmp_path)
    config.work_dir = f'{tmp_path / "run"}/'
    config.dump(tmp_path / 'run.py')
    options = ['--length', 0.5, '--seed', 2]
    result = call(TRAIN, tmp_path / 'run.py', *options)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / 'run_length_0.5_seed_2' / 'epoch_1.pth').exists()


def test_a_fine_tuning_that_is_always_told_to_resume(
    folders: Path, tmp_path: Path
) -> None:
    """Its first start has no checkpoint, and begins from ``load_from``."""
    config = plain(folders, tmp_path / 'run')
    weights, newest = tmp_path / 'w.pth', tmp_path / 'run' / 'epoch_1.pth'
    weights.touch()
    config.load_from = str(weights)
    config.dump(tmp_path / 'config.py')
    first = check([str(tmp_path / 'config.py'), '--resume'])
    assert (first.load_from, first.resume) == (str(weights), False)
    newest.parent.mkdir()
    newest.touch()
    (newest.parent / 'last_checkpoint').write_text(str(newest))
    again = check([str(tmp_path / 'config.py'), '--resume'])
    assert (again.load_from, again.resume) == (None, True)


def test_overwriting_an_earlier_run_is_said(
    folders: Path, tmp_path: Path
) -> None:
    """Not in a new folder, nor in a run that goes on."""
    plain(folders, tmp_path / 'run').dump(tmp_path / 'run.py')
    for options, warns in (([], False), ([], True), (['--resume'], False)):
        result = call(TRAIN, tmp_path / 'run.py', *options)
        assert result.returncode == 0, result.stderr
        said = 'has checkpoints of an earlier run, which this run overwrites'
        assert (said in result.stdout + result.stderr) is warns


def test_a_runner_that_shards_models_is_refused(
    folders: Path, tmp_path: Path
) -> None:
    config = config_of(folders, tmp_path / 'run', 2)
    config.default_hooks.ies = dict(type='IESHook', saved=0.2)
    config.runner_type = 'FlexibleRunner'
    with pytest.raises(ConfigError, match="need MMEngine's Runner; remove ru"):
        check_config(config)
    config.runner_type = 'Runner'
    check_config(config)


def test_two_seeds_are_refused(folders: Path, tmp_path: Path) -> None:
    plain(folders, tmp_path / 'run').dump(tmp_path / 'run.py')
    options = ['--seed', 2, '--cfg-options', 'randomness.seed=3']
    result = call(TRAIN, tmp_path / 'run.py', *options)
    assert result.returncode == 2
    assert 'contradict each other' in result.stderr


@pytest.mark.parametrize('seed', ['-1', '1.5', 'one', str(2**32)])
def test_what_is_no_seed_is_refused(seed: str) -> None:
    result = call(TRAIN, 'x.py', f'--seed={seed}')
    assert result.returncode == 2
    assert f'{seed}: give an integer from 0' in result.stderr


def test_the_learning_rate_is_scaled_to_the_batch_size(
    folders: Path, tmp_path: Path
) -> None:
    config = plain(folders, tmp_path / 'run')
    config.auto_scale_lr = dict(base_batch_size=16, enable=False)
    config.dump(tmp_path / 'run.py')
    result = call(TRAIN, tmp_path / 'run.py', '--auto-scale-lr')
    assert result.returncode == 0, result.stderr
    [scalars] = (tmp_path / 'run').glob('2*/vis_data/scalars.json')
    first = json.loads(scalars.read_text().splitlines()[0])
    rate = config.optim_wrapper.optimizer.lr
    assert config.train_dataloader.batch_size == 4
    assert first['lr'] == pytest.approx(rate * 4 / 16)


def test_without_a_base_batch_size_it_is_refused(
    folders: Path, tmp_path: Path
) -> None:
    plain(folders, tmp_path / 'run').dump(tmp_path / 'run.py')
    result = call(TRAIN, tmp_path / 'run.py', '--auto-scale-lr')
    assert result.returncode == 2
    assert 'no auto_scale_lr.base_batch_size' in result.stderr
    assert not (tmp_path / 'run').exists()
