"""InfoBatch in a complete training, against the literal loop."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.runner import Runner

from ies_mm.core.reference import ReferenceInfoBatch
from ies_mm.engine import InfoBatchHook
from method_cases import config_of
from runs import epochs_of, instances_of, train, with_hook
from task_runs import make_folders

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
