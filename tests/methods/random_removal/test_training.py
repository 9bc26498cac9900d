"""Random Remove in complete trainings, and ratios that it refuses."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ies_mm.engine import IESHook, RandomRemovalHook
from method_cases import config_of
from runs import epochs_of, instances_of, train, with_hook
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
