"""A loss term that appears or disappears in the middle of a training."""

import copy
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import nn

from ies_mm.training.data.identity import batch_instances
from ies_mm.training.state import observations
from ies_mm.training.state.observations_by_epoch import (
    ObservationsByEpoch,
)
from runs import FixedSelection, epochs_of, instances_of, train
from same_runs import assert_equal, assert_same_run, resumed
from task_runs import in_iterations, segmentor_config, with_ies

EPOCHS, JOINS = 10, 5
AWAY = range(5, 8)
FEW = [0, 3, 4, 8]
OLD, NEW = 'decode.loss_ce', 'decode.loss_late'


class Joining(Hook):
    """Adds a second loss to the decode head, like YOLOX its L1."""

    def before_train_epoch(self, runner: Runner) -> None:
        head: Any = runner.model.decode_head
        if runner.epoch + 1 >= JOINS and not isinstance(
            head.loss_decode, nn.ModuleList
        ):
            late = copy.deepcopy(head.loss_decode)
            late._loss_name = 'loss_late'
            late.loss_weight = 3.0
            head.loss_decode = nn.ModuleList([head.loss_decode, late])


class Leaving(Hook):
    """Has the second loss in all but some epochs."""

    def before_train(self, runner: Runner) -> None:
        loss = runner.model.decode_head.loss_decode
        self._both = [loss, copy.deepcopy(loss)]
        self._both[1]._loss_name = 'loss_late'

    def before_train_epoch(self, runner: Runner) -> None:
        self.have(runner, runner.epoch + 1 not in AWAY)

    def have(self, runner: Runner, late: bool) -> None:
        """Train with the second loss or without it."""
        losses = nn.ModuleList(self._both[: 1 + late])
        runner.model.decode_head.loss_decode = losses


def prepare(runner: Runner) -> None:
    runner.register_hook(Joining(), priority='VERY_HIGH')


def config_of(maps: Path, work_dir: Path) -> Config:
    config = with_ies(
        segmentor_config(maps, work_dir),
        delta=dict(type='Budget', saved=0.1),
        keep_history=True,
    )
    config.train_cfg.max_epochs = EPOCHS
    config.log_level = 'INFO'
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
    """From a checkpoint without the term."""
    config = config_of(maps, tmp_path)
    config.resume = True
    config.load_from = str(run / f'epoch_{JOINS - 1}.pth')
    runner = train(config, prepare)
    records = epochs_of(tmp_path)
    assert [r['epoch'] for r in records] == list(range(JOINS, EPOCHS + 1))
    assert all(NEW in record['loss'] for record in records)
    assert runner.epoch == EPOCHS
    assert instances_of(tmp_path)['terms'].tolist()[-1] == NEW


def leave(runner: Runner) -> None:
    runner.register_hook(Leaving(), priority='VERY_HIGH')


def leaving_config(maps: Path, work_dir: Path) -> Config:
    """Without random transforms, whose state MMEngine does not resume."""
    config = config_of(maps, work_dir)
    config.train_dataloader.dataset.pipeline.pop(2)
    config.model.decode_head.dropout_ratio = 0
    config.model.auxiliary_head.dropout_ratio = 0
    return config


@pytest.fixture(scope='module')
def left(maps: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    work_dir = tmp_path_factory.mktemp('leaving')
    train(leaving_config(maps, work_dir), leave)
    return work_dir


def test_the_training_goes_on_without_a_term_and_with_it_again(
    left: Path,
) -> None:
    kept = instances_of(left)
    column = kept['terms'].tolist().index(NEW)
    away = [epoch - 1 for epoch in AWAY]
    there = [e for e in range(EPOCHS) if e not in away]
    values = kept['losses'][:, :, column]
    assert (values[away][kept['trained'][away]] == 0).all()
    assert (values[there][kept['trained'][there]] > 0).all()
    log = '\n'.join(p.read_text() for p in left.glob('*/*.log'))
    assert log.count(f'loss term {NEW} left in epoch {AWAY[0]}:') == 1
    assert log.count(f'loss term {NEW} came back in epoch {AWAY[-1] + 1}') == 1
    assert log.count('loss term') == 2


def test_nobody_is_judged_by_the_jump(left: Path) -> None:
    """No kept difference is as large as the term that disappeared."""
    state = torch.load(left / f'epoch_{AWAY[0]}.pth', weights_only=False)
    [values] = every(state, 'values')
    kept = instances_of(left)
    column = kept['terms'].tolist().index(NEW)
    observed = kept['trained'][AWAY[0] - 1]
    assert (values[:, observed, column] == 0).all()


def test_a_run_resumed_without_the_term_is_one_never_stopped(
    left: Path, maps: Path, tmp_path: Path
) -> None:
    config = leaving_config(maps, tmp_path)
    config.resume = True
    config.load_from = str(left / f'epoch_{AWAY[1]}.pth')
    train(config, leave)
    ours, theirs = (
        torch.load(folder / f'epoch_{EPOCHS}.pth', weights_only=False)
        for folder in (tmp_path, left)
    )
    for name in ('values', 'selection', 'absent'):
        assert every(ours, name)
        assert_equal(every(ours, name), every(theirs, name))


class LeavingWithin(Leaving):
    """The same, but within passes of three batches: iterations 8 to 13."""

    def before_train_iter(self, runner: Runner, *_: Any, **__: Any) -> None:
        self.have(runner, not 8 <= runner.iter < 14)


def within(runner: Runner) -> None:
    runner.register_hook(LeavingWithin(), priority='VERY_HIGH')


@pytest.fixture(scope='module')
def left_within(maps: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    work_dir = tmp_path_factory.mktemp('leaving_within')
    train(within_config(maps, work_dir), within)
    return work_dir


def within_config(maps: Path, work_dir: Path) -> Config:
    config = in_iterations(leaving_config(maps, work_dir), 20)
    config.train_dataloader.sampler.type = 'IESSampler'
    config.default_hooks.checkpoint.interval = 3
    return config


@pytest.mark.parametrize('iteration', [6, 9, 12, 15])
def test_resumed_where_a_term_left_within_a_pass_is_never_stopped(
    left_within: Path, maps: Path, tmp_path: Path, iteration: int
) -> None:
    config = within_config(maps, tmp_path)
    config.resume = True
    config.load_from = str(left_within / f'iter_{iteration}.pth')
    train(config, within)
    ours, theirs = (
        torch.load(folder / 'iter_18.pth', weights_only=False)
        for folder in (tmp_path, left_within)
    )
    for name in ('values', 'selection', 'absent', 'observed'):
        assert every(ours, name)
        assert_equal(every(ours, name), every(theirs, name))


class OfFew(Leaving):
    """Has the second loss only in batches that show one of a few images."""

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None
    ) -> None:
        shown = set(batch_instances(data_batch).tolist())
        self.have(runner, not shown.isdisjoint(FEW))


def test_resumed_where_all_images_of_a_term_are_pruned_is_never_stopped(
    maps: Path, tmp_path: Path
) -> None:
    """From before and after the epoch in which the term left."""
    whole, again = tmp_path / 'whole', tmp_path / 'again'

    def run(config: Config) -> None:
        plan = {2: FEW, 3: FEW}
        hook = FixedSelection(plan, keep_history=True, refresh_interval=9)

        def register(runner: Runner) -> None:
            runner.register_hook(OfFew(), priority='VERY_HIGH')
            runner.register_hook(hook)

        train(config, register)

    run(few_config(maps, whole))
    log = '\n'.join(p.read_text() for p in whole.glob('*/*.log'))
    assert log.count(f'loss term {NEW} left in epoch 3:') == 1
    for epoch in (2, 3):
        config = few_config(maps, again)
        run(resumed(config, whole, f'epoch_{epoch}.pth'))
        assert_same_run(again, whole, 'epoch_4.pth')


class LeavingForGood(Hook):
    """Removes the second loss after two epochs, also when resumed there."""

    def before_train(self, runner: Runner) -> None:
        head: Any = runner.model.decode_head
        if runner.epoch >= 2:
            head.loss_decode = nn.ModuleList([head.loss_decode[0]])

    before_train_epoch = before_train


def test_a_loss_removed_before_the_training_starts_is_no_other_model(
    maps: Path, tmp_path: Path
) -> None:
    """Resumed, and where ``train`` is called again."""

    def run(name: str, epochs: int, checkpoint: str = '') -> Runner:
        config = few_config(maps, tmp_path / name)
        loss = config.model.decode_head.loss_decode
        late = dict(loss, loss_name='loss_late')
        config.model.decode_head.loss_decode = [loss, late]
        config.train_cfg.max_epochs = epochs
        if checkpoint:
            resumed(config, tmp_path / 'whole', checkpoint)

        def register(runner: Runner) -> None:
            runner.register_hook(LeavingForGood(), priority='VERY_HIGH')
            runner.register_hook(FixedSelection({}, keep_history=True))

        return train(config, register)

    run('whole', 4)
    run('resumed', 4, 'epoch_2.pth')
    again = run('again', 3)
    again.train_loop._max_epochs = 4
    again.train()
    for name in ('resumed', 'again'):
        assert_same_run(tmp_path / name, tmp_path / 'whole', 'epoch_4.pth')


def few_config(maps: Path, work_dir: Path) -> Config:
    config = leaving_config(maps, work_dir)
    config.default_hooks.pop('ies')
    config.train_cfg.max_epochs = 4
    return config


def test_a_rank_without_a_term_that_another_has_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """If one rank raised instead, the others would wait for it."""
    barrier, parts = Barrier(2, timeout=5), []

    def gathered(part: Any) -> list:
        parts.append(copy.deepcopy(part))
        barrier.wait()
        return parts

    def present_on(terms: str) -> set[str]:
        resumed = ObservationsByEpoch(['a', 'b'])
        resumed.load_state_dict({})
        losses = dict.fromkeys(terms, torch.tensor([1.0]))
        resumed.add([(1, 1)], torch.tensor([0]), losses, {})
        observed = resumed.take(1)
        observed.merge()
        return observed.present

    monkeypatch.setattr(observations, 'all_gather_object', gathered)
    with ThreadPoolExecutor(2) as ranks:
        found = list(ranks.map(present_on, ['ab', 'a']))
    assert found == [{'a', 'b'}, {'a', 'b'}]


def every(state: Any, key: str) -> list:
    """The values of a key, at any depth."""
    if not isinstance(state, dict):
        return []
    found = [state[key]] if key in state else []
    return found + [v for part in state.values() for v in every(part, key)]
