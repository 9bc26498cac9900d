"""DIHCL in a complete training, and budgets that it refuses."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ies_mm.core import Standing
from ies_mm.engine import DIHCLHook
from method_cases import config_of
from runs import epochs_of, instances_of, train, with_hook
from task_runs import make_folders

IMAGES = 13


@pytest.fixture(scope='module')
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_folders(tmp_path_factory.mktemp('folders'), IMAGES)


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


@pytest.mark.parametrize('by_epoch', [True, False])
def test_the_learning_rate_is_that_of_the_epoch_s_last_step(
    folders: Path, tmp_path: Path, by_epoch: bool
) -> None:
    """Not the next one, although the schedule has moved on by then."""
    config = config_of(folders, tmp_path, 4)
    batches = -(-IMAGES // config.train_dataloader.batch_size)
    step = 2 if by_epoch else 2 * batches
    config.param_scheduler = [
        dict(type='MultiStepLR', milestones=[step], by_epoch=by_epoch)
    ]
    hook, rates = DIHCLHook(warmup=4), []
    update = hook.method.update

    def noted(ids: Any, losses: Any, standing: Standing) -> None:
        rates.append(standing.learning_rate)
        update(ids, losses, standing)

    hook.method.update = noted  # type: ignore[method-assign]
    train(config, with_hook(hook))
    assert rates == pytest.approx([0.1, 0.1, 0.01, 0.01])


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
