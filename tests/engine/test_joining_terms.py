"""A loss term that joins in the middle of a training."""

import copy
from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import nn

from runs import epochs_of, instances_of, train
from task_runs import segmentor_config, with_ies

EPOCHS, JOINS = 10, 5
OLD, NEW = 'decode.loss_ce', 'decode.loss_late'


class Joining(Hook):
    """Adds a second loss to the decode head, as YOLOX its L1."""

    def before_train_epoch(self, runner: Runner) -> None:
        head: Any = runner.model.decode_head
        if runner.epoch + 1 >= JOINS and not isinstance(
            head.loss_decode, nn.ModuleList
        ):
            late = copy.deepcopy(head.loss_decode)
            late._loss_name = 'loss_late'
            late.loss_weight = 3.0
            head.loss_decode = nn.ModuleList([head.loss_decode, late])


def prepare(runner: Runner) -> None:
    runner.register_hook(Joining(), priority='VERY_HIGH')


def config_of(maps: Path, work_dir: Path) -> Config:
    config = with_ies(
        segmentor_config(maps, work_dir),
        delta=dict(type='Budget', saved=0.1),
        keep_history=True,
    )
    config.train_cfg.max_epochs = EPOCHS
    return config


@pytest.fixture(scope='module')
def run(maps: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    work_dir = tmp_path_factory.mktemp('joining')
    train(config_of(maps, work_dir), prepare)
    return work_dir


def test_the_training_goes_on_and_the_term_counts_zero_before(
    run: Path,
) -> None:
    records = epochs_of(run)
    assert len(records) == EPOCHS
    assert [NEW in r['loss'] for r in records] == [
        epoch >= JOINS for epoch in range(1, EPOCHS + 1)
    ]
    assert max(record['forward_only'] for record in records) > 0
    kept = instances_of(run)
    assert kept['terms'].tolist() == [OLD, 'aux.loss_ce', NEW]
    new = kept['losses'][:, :, 2]
    assert (new[: JOINS - 1] == 0).all()
    assert (new[JOINS - 1 :][kept['trained'][JOINS - 1 :]] > 0).all()


def test_a_run_resumed_across_it_goes_on(
    run: Path, maps: Path, tmp_path: Path
) -> None:
    """From a checkpoint that does not know the term yet."""
    config = config_of(maps, tmp_path)
    config.resume = True
    config.load_from = str(run / f'epoch_{JOINS - 1}.pth')
    runner = train(config, prepare)
    records = epochs_of(tmp_path)
    assert [r['epoch'] for r in records] == list(range(JOINS, EPOCHS + 1))
    assert all(NEW in record['loss'] for record in records)
    assert runner.epoch == EPOCHS
    assert instances_of(tmp_path)['terms'].tolist()[-1] == NEW
