"""The methods that IES is compared with, in complete trainings."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.hooks import EarlyStoppingHook
from mmengine.runner import Runner

from ies_mm.core.reference import ReferenceInfoBatch
from ies_mm.engine import (
    DIHCLHook,
    IESHook,
    InfoBatchHook,
    RandomRemovalHook,
    SelectiveBackpropHook,
    SmallLossRescaleHook,
    SoftIESHook,
)
from method_cases import METHODS, config_of
from runs import epochs_of, instances_of, parameters, train, with_hook
from task_runs import (
    classifier_config,
    in_iterations,
    make_folders,
    with_sampler,
)

IMAGES = 13


@pytest.fixture(scope='module')
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_folders(tmp_path_factory.mktemp('folders'), IMAGES)


class Watched(InfoBatchHook):
    """InfoBatch that keeps the weights of every epoch."""

    def before_train_epoch(self, runner: Runner) -> None:
        super().before_train_epoch(runner)
        weight = self.session.state.selection.weight
        everything = torch.ones(self.session.state.instances)
        self.weights = [
            *getattr(self, 'weights', []),
            (everything if weight is None else weight).tolist(),
        ]


@pytest.mark.parametrize(
    ('hook', 'arguments'),
    [
        (InfoBatchHook, dict(ratio=0)),
        (SmallLossRescaleHook, dict(ratio=0)),
        (RandomRemovalHook, dict(ratio=0)),
        (DIHCLHook, dict(warmup=1, start=1.0, end=1.0)),
        (SelectiveBackpropHook, dict(beta=0)),
        (SoftIESHook, dict(saved=0)),
    ],
)
def test_a_method_that_leaves_nothing_out_is_the_plain_run(
    folders: Path, tmp_path: Path, hook: type, arguments: dict
) -> None:
    """Bit-identical; the last batch of 13 images has three."""
    plain = classifier_config(folders, tmp_path / 'plain')
    ours = config_of(folders, tmp_path / 'ours', 2)
    plain.train_dataloader.batch_size = ours.train_dataloader.batch_size = 5
    expected = parameters(train(plain))
    found = parameters(train(ours, with_hook(hook(**arguments))))
    assert all(torch.equal(found[k], expected[k]) for k in expected)


def test_infobatch_is_the_literal_loop(folders: Path, tmp_path: Path) -> None:
    hook = Watched(ratio=0.5, anneal=0.25, keep_history=True)
    config = config_of(folders, tmp_path, 9)
    config.train_dataloader.batch_size = 20  # no image is left alone
    train(config, with_hook(hook))
    records, arrays = epochs_of(tmp_path), instances_of(tmp_path)
    loop = ReferenceInfoBatch(IMAGES, 0.5)
    learned, dropped = [False] * IMAGES, []
    for epoch, trained in enumerate(arrays['trained']):
        # Epochs 7, 8 and 9 of 9: more than 6.75.
        if epoch >= 6:
            learned, dropped = [False] * IMAGES, []
        assert np.flatnonzero(~trained).tolist() == dropped
        weights = loop.weights(learned, dropped)
        kept = [w for w, t in zip(weights, trained, strict=True) if t]
        found = np.asarray(hook.weights[epoch])[trained]
        assert found.tolist() == pytest.approx(kept)
        losses = arrays['losses'][epoch].sum(axis=1)
        assert np.array_equal(np.isnan(losses), ~trained)
        learned = loop.step({i: [losses[i]] for i in np.flatnonzero(trained)})
        assert records[epoch]['mastered'] == sum(learned)
        assert records[epoch]['forward_only'] == 0
        if epoch + 1 < 6:
            dropped = np.flatnonzero(~arrays['trained'][epoch + 1]).tolist()
            assert all(learned[i] for i in dropped)
            assert abs(len(dropped) - sum(learned) / 2) < 1
    assert records[-1]['saved'] > 0
    assert hook.weights[-1] == [1.0] * IMAGES


def test_small_loss_rescale_prunes_to_the_end(
    folders: Path, tmp_path: Path
) -> None:
    hook = SmallLossRescaleHook(ratio=0.9)
    train(config_of(folders, tmp_path, 8), with_hook(hook))
    records = epochs_of(tmp_path)
    assert records[0]['excluded'] == 0
    assert all(record['excluded'] > 0 for record in records[1:])
    assert {record['method'] for record in records} == {'Small Loss & Rescale'}


@pytest.mark.parametrize('ratio', [0.1, 0.4])
def test_random_removal_saves_its_ratio(
    folders: Path, tmp_path: Path, ratio: float
) -> None:
    """Within one batch per epoch, from the first epoch on."""
    hook = RandomRemovalHook(ratio, keep_history=True)
    train(config_of(folders, tmp_path, 6), with_hook(hook))
    records = epochs_of(tmp_path)
    for record in records:
        assert abs(record['excluded'] - ratio * IMAGES) < 4
        assert record['excluded'] + record['trained'] == IMAGES
    assert abs(records[-1]['saved'] - ratio) < 0.08
    trained = instances_of(tmp_path)['trained']
    assert len({tuple(row) for row in trained}) > 1


def test_random_removal_begins_when_it_is_told(
    folders: Path, tmp_path: Path
) -> None:
    """The control of IES, which prunes nothing in its first epochs."""
    hook = RandomRemovalHook(0.4, begin=3)
    train(config_of(folders, tmp_path, 6), with_hook(hook))
    excluded = [record['excluded'] for record in epochs_of(tmp_path)]
    assert excluded[:3] == [0, 0, 0]
    assert all(abs(count - 0.4 * IMAGES) < 4 for count in excluded[3:])


def test_random_removal_on_the_budget_of_ies(
    folders: Path, tmp_path: Path
) -> None:
    """As many images per epoch as IES, within a batch, but others."""
    budget = dict(type='Budget', saved=0.3)
    ies = IESHook(budget, order=1, window=1, keep_history=True)
    control = RandomRemovalHook(budget, keep_history=True, begin=3)
    for name, hook in (('ies', ies), ('random', control)):
        config = config_of(folders, tmp_path / name, 14)
        train(config, with_hook(hook))
    found, wanted = (
        np.array([r['excluded'] for r in epochs_of(tmp_path / name)])
        for name in ('random', 'ies')
    )
    assert wanted[:3].sum() == 0
    assert wanted.sum() / (14 * IMAGES) == pytest.approx(0.3, abs=0.03)
    assert np.abs(found - wanted).max() < 4
    assert abs((found - wanted)[3:7].sum()) < 3
    trained = [
        instances_of(tmp_path / name)['trained'] for name in ('random', 'ies')
    ]
    assert not np.array_equal(*trained)


@pytest.mark.parametrize(
    ('ratio', 'message'),
    [
        (dict(type='Relative', factor=0.1), "give a number, or .* 'Budget'"),
        (dict(type='Budget', saved=2), 'saved=2: give a number from 0 to 0.9'),
        (1.0, 'ratio=1.0'),
    ],
)
def test_a_ratio_that_is_none(ratio: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RandomRemovalHook(ratio)


def test_random_removal_in_iterations(folders: Path, tmp_path: Path) -> None:
    config = in_iterations(classifier_config(folders, tmp_path), 26)
    runner = train(with_sampler(config), with_hook(RandomRemovalHook(0.4)))
    saved = epochs_of(tmp_path)[-1]['saved']
    assert saved == pytest.approx(0.4, abs=0.08)
    assert runner.iter == pytest.approx(26 * (1 - saved), abs=2)


def test_dihcl_keeps_to_its_budget_and_prefers_the_hard(
    folders: Path, tmp_path: Path
) -> None:
    hook = DIHCLHook(
        warmup=2, start=0.8, factor=0.5, end=0.25, keep_history=True
    )
    train(config_of(folders, tmp_path, 7), with_hook(hook))
    trained = [record['trained'] for record in epochs_of(tmp_path)]
    assert trained[:5] == [13, 13, 10, 6, 3 + 0]
    assert trained[5:] == trained[4:6]
    arrays = instances_of(tmp_path)
    running = np.full(IMAGES, np.nan)
    rate = 0.1
    for losses in arrays['losses'].sum(axis=2) / rate:
        new = 0.9 * losses + 0.1 * np.where(np.isnan(running), losses, running)
        running = np.where(np.isnan(losses), running, new)
    np.testing.assert_allclose(hook.method.running.numpy(), running, rtol=1e-5)


@pytest.mark.parametrize(
    'arguments',
    [
        dict(start=1.0, factor=1.1),
        dict(start=0.2, factor=0.9),
        dict(start=0.0, factor=2.0),
    ],
)
def test_a_budget_that_leads_away_is_refused(arguments: dict) -> None:
    with pytest.raises(ValueError, match='does not lead from'):
        DIHCLHook(**arguments)


@pytest.mark.parametrize('ratio', [1, -0.1, float('nan')])
@pytest.mark.parametrize('hook', [InfoBatchHook, RandomRemovalHook])
def test_ratios_out_of_range(hook: Any, ratio: float) -> None:
    with pytest.raises(ValueError, match='give a number from 0 to below 1'):
        hook(ratio=ratio)


def test_a_flag_that_is_none() -> None:
    with pytest.raises(TypeError, match="keep_history='no': give True or"):
        InfoBatchHook(keep_history='no')


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


def test_without_a_seed_a_resumed_run_draws_the_same(
    folders: Path, tmp_path: Path
) -> None:
    """Although MMEngine draws a new sampler seed for the resumed run."""
    out = []
    for name, checkpoint in (('whole', ''), ('again', 'whole/epoch_2.pth')):
        config = config_of(folders, tmp_path / name, 4)
        config.randomness = dict(seed=None)
        config.resume = bool(checkpoint)
        config.load_from = str(tmp_path / checkpoint) if checkpoint else None
        hook = RandomRemovalHook(0.4, keep_history=True)
        train(config, with_hook(hook))
        out.append(instances_of(tmp_path / name)['trained'][-1])
    assert np.array_equal(*out)
