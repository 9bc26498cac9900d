"""A loss term that appears in the middle of a training."""

import copy
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import nn

from ies_mm.errors import ConfigError
from ies_mm.training.hook import training
from ies_mm.training.state import observations
from ies_mm.training.state.observations_by_epoch import ObservationsByEpoch
from late_terms import EPOCHS, NEW, config_of
from runs import epochs_of, instances_of, train, with_hook

JOINS = 5
OLD = 'decode.loss_ce'


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


def prepare(runner: Runner) -> None:
    runner.register_hook(Joining(), priority='VERY_HIGH')


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


class AfterTheFirstBatch(Joining):
    """Adds the loss in the first epoch, but not to its first batch."""

    def before_train_epoch(self, runner: Runner) -> None:
        return

    def before_train_iter(self, runner: Runner, *_: Any, **__: Any) -> None:
        if runner.iter == 1:
            runner._train_loop._epoch += JOINS
            super().before_train_epoch(runner)
            runner._train_loop._epoch -= JOINS


@pytest.mark.parametrize('steps', [2, 10**6])
def test_a_term_of_one_s_choice_may_be_missing_in_the_first_batch(
    maps: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    monkeypatch.setattr(training, 'TERMS_BY', steps)
    config = config_of(maps, tmp_path)
    config.default_hooks.ies.terms = [NEW]
    train(config, with_hook(AfterTheFirstBatch()))
    assert len(epochs_of(tmp_path)) == EPOCHS


@pytest.mark.parametrize('steps', [1, 10**6])
def test_a_term_that_the_model_never_has(
    maps: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    """Refused after a few steps, or where an epoch has fewer, after it."""
    monkeypatch.setattr(training, 'TERMS_BY', steps)
    config = config_of(maps, tmp_path)
    config.default_hooks.ies.terms = ['loss_mask']
    with pytest.raises(ConfigError, match="no term 'loss_mask'; it has dec"):
        train(config)
    assert not list(tmp_path.glob('epoch_1.pth'))
