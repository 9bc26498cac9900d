"""Small Loss & Rescale: InfoBatch's rule, in every epoch to the last."""

from pathlib import Path

import numpy as np
import pytest

from ies_mm.core.reference import ReferenceInfoBatch
from ies_mm.engine import SmallLossRescaleHook
from method_cases import config_of
from runs import epochs_of, instances_of, train, with_hook
from task_runs import make_folders

IMAGES = 13


@pytest.fixture(scope='module')
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_folders(tmp_path_factory.mktemp('folders'), IMAGES)


def test_it_is_the_literal_loop_to_the_end(
    folders: Path, tmp_path: Path
) -> None:
    """What is pruned was below the mean of all scores, half of it."""
    hook = SmallLossRescaleHook(ratio=0.5, keep_history=True)
    config = config_of(folders, tmp_path, 8)
    config.train_dataloader.batch_size = 20  # no image is left alone
    train(config, with_hook(hook))
    trained = instances_of(tmp_path)['trained']
    losses = instances_of(tmp_path)['losses'].sum(axis=2)
    loop = ReferenceInfoBatch(IMAGES, 0.5)
    for epoch in range(7):
        observed = np.flatnonzero(trained[epoch])
        learned = loop.step({i: [losses[epoch, i]] for i in observed})
        dropped = np.flatnonzero(~trained[epoch + 1])
        assert all(learned[i] for i in dropped)
        assert abs(len(dropped) - sum(learned) / 2) < 1
        assert len(dropped), 'the last epochs prune, too'


def test_it_has_a_name_of_its_own(folders: Path, tmp_path: Path) -> None:
    hook = SmallLossRescaleHook(ratio=0.9)
    train(config_of(folders, tmp_path, 3), with_hook(hook))
    records = epochs_of(tmp_path)
    assert records[0]['excluded'] == 0
    assert {record['method'] for record in records} == {'Small Loss & Rescale'}
