"""Files actually written by MMEngine and the hooks are read correctly."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config

from ies_mm.engine import RandomRemovalHook
from ies_mm.report.compare import compare, table
from ies_mm.report.reading.run_instances import read_instances
from ies_mm.report.reading.runs import read_run
from runs import FixedSelection, train, with_hook
from task_runs import (
    classifier_config,
    in_iterations,
    make_folders,
    with_sampler,
)

IMAGES = 16
TOP1 = 'accuracy/top1'


@pytest.fixture(scope='module')
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_folders(tmp_path_factory.mktemp('folders'), IMAGES)


def config_of(folders: Path, work_dir: Path, epochs: int = 4) -> Config:
    """A config with validation every second epoch, and a log."""
    config = classifier_config(folders, work_dir)
    config.val_dataloader = dict(
        batch_size=4,
        num_workers=0,
        sampler=dict(type='DefaultSampler', shuffle=False),
        dataset=config.train_dataloader.dataset,
    )
    config.val_cfg = dict()
    config.val_evaluator = dict(type='Accuracy', topk=1)
    config.train_cfg.update(max_epochs=epochs, val_interval=2)
    config.log_level = 'INFO'
    return config


def selecting(plan: dict[int, list[int]]) -> Callable:
    """For ``train``: prune planned images after each epoch."""
    return with_hook(FixedSelection(plan))


def test_epochs(folders: Path, tmp_path: Path) -> None:
    plain, ies = tmp_path / 'plain', tmp_path / 'ies'
    train(config_of(folders, plain))
    plan = {1: [0, 1, 2, 3], 2: [0, 1], 3: [0, 1]}
    train(with_sampler(config_of(folders, ies)), selecting(plan))
    comparison = compare([plain, ies], tmp_path / 'out')
    assert comparison.metric == TOP1
    rows = {row.group.label: row for row in comparison.rows}
    assert rows['plain'].group.finished
    [run] = rows['IES'].group.runs
    assert list(run.points[TOP1]) == [2, 4]
    assert run.progress.finished
    assert [record['excluded'] for record in run.records] == [0, 4, 2, 2]
    # 4 + 2 + 2 of 4 * 16.
    assert rows['IES'].figures.saved.mean == pytest.approx(8 / 64)
    assert rows['IES'].figures.total_seconds is not None
    assert 'IES' in table(comparison)


def test_a_run_without_losses(folders: Path, tmp_path: Path) -> None:
    """Random pruning records none; they must not appear as zeros."""
    run = tmp_path / 'random'
    train(
        with_sampler(config_of(folders, run)),
        with_hook(RandomRemovalHook(0.25)),
    )
    found = read_instances(read_run(run))
    assert found is not None
    assert found.excluded.any()
    assert np.isnan(found.losses).all()
    compare([run], tmp_path / 'out')
    page = (tmp_path / 'out' / 'compare.html').read_text()
    assert 'loss: not recorded' in page
    assert 'no loss recorded' in page
    assert 'last loss' not in page


def test_a_resumed_run(folders: Path, tmp_path: Path) -> None:
    config = config_of(folders, tmp_path, epochs=2)
    train(config)
    config.train_cfg.max_epochs = 4
    config.resume = True
    train(config)
    run = read_run(tmp_path)
    assert list(run.points[TOP1]) == [2, 4]
    assert (run.starts, str(run.progress)) == (2, '4 of 4 epochs')
    assert run.progress.finished
    assert run.total_seconds is not None


def test_iterations(folders: Path, tmp_path: Path) -> None:
    """Some of 24 iterations (6 passes) are skipped; the end is detected."""
    work_dirs = [tmp_path / 'plain', tmp_path / 'ies']
    for work_dir in work_dirs:
        config = in_iterations(config_of(folders, work_dir), 24)
        config.train_cfg.val_interval = 8
        config.default_hooks.logger.log_metric_by_epoch = False
        if work_dir.name == 'plain':
            train(config)
        else:
            plan = {epoch: [0, 1, 2, 3, 4] for epoch in range(1, 9)}
            train(with_sampler(config), selecting(plan))
    plain, ies = (read_run(work_dir) for work_dir in work_dirs)
    assert str(plain.progress) == '24 of 24 iterations'
    assert plain.progress.finished
    assert list(plain.points[TOP1]) == [8, 16, 24]
    # One pass of 16 and five of 11 images: 71 samples in batches of 4.
    assert str(ies.progress) == '18 of 24 iterations'
    assert ies.progress.finished
    assert list(ies.points[TOP1]) == [8, 16, 18]
    compare(work_dirs, tmp_path / 'out')
