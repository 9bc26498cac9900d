"""Adaptive thresholds in small, complete trainings."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import Config

from ies_mm.engine import IESHook
from runs import epochs_of, instances_of, parameters, plain_config, train
from same_runs import by_epochs
from task_runs import (
    in_iterations,
    segmentor_config,
    with_ies,
)

FAST = dict(order=1, window=1, keep_history=True)


def budget(saved: float) -> dict[str, Any]:
    return FAST | dict(delta=dict(type='Budget', saved=saved))


def classifier(folders: Path, work_dir: Path, epochs: int = 20) -> Config:
    config = by_epochs(folders, work_dir)
    config.train_cfg.max_epochs = epochs
    config.param_scheduler = []
    config.default_hooks.checkpoint.interval = 100
    return config


@pytest.mark.parametrize('saved', [0.1, 0.2, 0.4])
def test_a_budget_is_kept(folders: Path, tmp_path: Path, saved: float) -> None:
    config = classifier(folders, tmp_path)
    train(with_ies(config, **budget(saved)))
    records = epochs_of(tmp_path)
    assert records[-1]['saved'] == pytest.approx(saved, abs=0.02)
    limits = {record['delta'] for record in records[3:]}
    assert len(limits) > 5
    # The flattest are pruned: their difference was below the threshold.
    arrays = instances_of(tmp_path)
    steps = np.abs(np.diff(arrays['losses'][..., 0], axis=0))
    for epoch in range(3, 19):
        left_out = ~arrays['trained'][epoch + 1]
        below = steps[epoch - 1] < records[epoch]['delta']
        # Give or take one, if a batch had to be filled.
        assert (left_out & ~below).sum() == 0
        assert (below & ~left_out).sum() <= 1


def test_a_dry_run_decides_as_much_as_a_budget_would(
    folders: Path, tmp_path: Path
) -> None:
    config = classifier(folders, tmp_path)
    train(with_ies(config, dry_run=True, **budget(0.2)))
    records = epochs_of(tmp_path)
    assert records[-1]['saved'] == 0
    mastered = sum(record['mastered'] for record in records[:-1])
    instances = records[0]['instances']
    assert mastered / (20 * instances) == pytest.approx(0.2, abs=0.02)


def test_a_budget_is_kept_with_annealing(
    folders: Path, tmp_path: Path
) -> None:
    config = classifier(folders, tmp_path)
    train(with_ies(config, anneal=0.2, **budget(0.2)))
    records = epochs_of(tmp_path)
    assert records[-1]['saved'] == pytest.approx(0.2, abs=0.02)
    assert [record['excluded'] for record in records[-4:]] == [0] * 4


def test_a_budget_is_kept_in_iterations(folders: Path, tmp_path: Path) -> None:
    config = in_iterations(classifier(folders, tmp_path), 100)
    train(with_ies(config, **budget(0.2)))
    assert epochs_of(tmp_path)[-1]['saved'] == pytest.approx(0.2, abs=0.04)


def test_a_budget_is_kept_by_a_segmentor(maps: Path, tmp_path: Path) -> None:
    config = segmentor_config(maps, tmp_path)
    config.train_cfg.max_epochs = 12
    config.default_hooks.checkpoint.interval = 100
    train(with_ies(config, terms='all', **budget(0.2)))
    last = epochs_of(tmp_path)[-1]
    assert last['saved'] == pytest.approx(0.2, abs=0.04)


@pytest.mark.parametrize(('saved', 'warned'), [(0.25, False), (0.6, True)])
def test_a_budget_out_of_reach_is_warned_of(
    folders: Path, tmp_path: Path, saved: float, warned: bool
) -> None:
    """Of 8 epochs, 3 cannot prune yet and 2 anneal: 3 * 0.9 / 8."""
    config = classifier(folders, tmp_path, epochs=8)
    train(with_ies(config, anneal=0.25, **budget(saved)))
    log = ''.join(p.read_text() for p in tmp_path.glob('*/*.log'))
    assert ('these 8 epochs can save 34% at most' in log) == warned
    assert epochs_of(tmp_path)[-1]['saved'] == pytest.approx(
        min(saved, 0.34), abs=0.03
    )


def test_a_budget_of_nothing_is_the_plain_run(
    folders: Path, tmp_path: Path
) -> None:
    without = classifier(folders, tmp_path / 'plain', 5)
    without.train_dataloader.sampler.type = 'DefaultSampler'
    plain = train(without)
    config = classifier(folders, tmp_path / 'ies', 5)
    found = parameters(train(with_ies(config, **budget(0.0))))
    expected = parameters(plain)
    assert all(torch.equal(found[k], expected[k]) for k in expected)


def test_relative_and_terms(voc: Path, tmp_path: Path) -> None:
    """Each term relative to its own mean in the first epoch."""
    config = plain_config(voc, tmp_path, epochs=5)
    relative = dict(type='Relative', factor=0.3)
    hook = FAST | dict(delta=relative, terms='all', dry_run=True)
    train(with_ies(config, **hook))
    arrays, records = instances_of(tmp_path), epochs_of(tmp_path)
    first = np.nanmean(arrays['losses'][0].astype(np.float64), axis=0)
    assert list(records[-1]['delta'].values()) == pytest.approx(0.3 * first)
    steps = np.abs(np.diff(arrays['losses'].astype(np.float64), axis=0))
    for epoch in range(2, 5):
        expected = (steps[epoch - 1] < 0.3 * first).all(axis=1).sum()
        assert records[epoch]['mastered'] == expected


def test_the_state_of_a_config_needs_no_unpickling(
    voc: Path, tmp_path: Path
) -> None:
    """Config dicts of MMEngine would need it."""
    config = plain_config(voc, tmp_path, epochs=2)
    delta = dict(type='Relative', factor=0.3)
    weights = dict(loss_cls=1.0, loss_bbox=2.0)
    config = with_ies(config, delta=delta, terms=weights, **FAST)
    del config.default_hooks.checkpoint
    runner = train(config)
    [hook] = [h for h in runner.hooks if isinstance(h, IESHook)]
    checkpoint: dict[str, Any] = {}
    hook.before_save_checkpoint(runner, checkpoint)
    torch.save(checkpoint, tmp_path / 'state.pth')
    loaded = torch.load(tmp_path / 'state.pth', weights_only=True)
    assert loaded['ies']['arguments']['delta'] == delta
    assert loaded['ies']['arguments']['terms'] == weights
