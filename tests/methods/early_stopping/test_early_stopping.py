"""MMEngine's early stopping beside each method."""

from pathlib import Path
from typing import Any

import pytest
from mmengine.hooks import EarlyStoppingHook
from mmengine.runner import Runner

from method_cases import METHODS, config_of
from runs import epochs_of, train
from task_runs import make_folders

IMAGES = 13


@pytest.fixture(scope='module')
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_folders(tmp_path_factory.mktemp('folders'), IMAGES)


@pytest.mark.parametrize(('hook', 'arguments'), METHODS)
def test_early_stopping_beside_a_method(
    folders: Path, tmp_path: Path, hook: type, arguments: dict
) -> None:
    """MMEngine's hook ends the run; the records are complete up to then."""

    class Falling(EarlyStoppingHook):
        def after_val_epoch(self, runner: Runner, metrics: Any = None) -> None:
            values = [0.5, 0.6, 0.6, 0.6, 0.6, 0.6]
            super().after_val_epoch(runner, {'top1': values[runner.epoch - 1]})

    config = config_of(folders, tmp_path, 6)
    config.val_dataloader = config.train_dataloader.copy()
    config.val_dataloader.sampler = dict(type='DefaultSampler', shuffle=False)
    config.val_evaluator = dict(type='Accuracy')
    config.val_cfg = dict(type='ValLoop')

    def prepare(runner: Runner) -> None:
        runner.register_hook(hook(**arguments))
        early = Falling('top1', rule='greater', min_delta=0.01, patience=2)
        runner.register_hook(early)

    runner = train(config, prepare)
    assert runner.epoch == 4
    records = epochs_of(tmp_path)
    assert [record['epoch'] for record in records] == [1, 2, 3, 4]
    assert all(r['excluded'] + r['trained'] == IMAGES for r in records)
    assert 'prepare_data' not in vars(runner.train_dataloader.dataset)
