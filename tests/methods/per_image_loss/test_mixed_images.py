"""Observation of trainings that mix images: by scoring passes."""

from pathlib import Path

import numpy as np
import torch
from mmengine.runner import Runner

from ies_mm.engine import PerImageLossHook
from mixing_runs import PLAIN
from runs import epochs_of, instances_of, parameters, train
from same_runs import assert_equal
from unmixed_losses import STOCK, Watch


@STOCK
def test_images_are_scored_alone_and_the_training_is_the_plain_one(
    voc: Path, tmp_path: Path, make
) -> None:
    """Every second epoch and after the last one, without our sampler."""
    plain = make(voc, tmp_path / 'plain', 3)
    plain.train_dataloader.batch_size = 6
    expected = parameters(train(plain))
    config = make(voc, tmp_path / 'on', 3)
    config.voc, config.log_level = str(voc), 'INFO'
    config.train_dataloader.batch_size = 6
    watches = [Watch(2, PLAIN[make]), Watch(3, PLAIN[make])]

    def register(runner: Runner) -> None:
        runner.register_hook(PerImageLossHook(scoring=dict(interval=2)))
        for watch in watches:
            runner.register_hook(watch)

    assert_equal(parameters(train(config, register)), expected)
    losses = torch.from_numpy(instances_of(tmp_path / 'on')['losses'])
    assert np.isnan(losses[0]).all()
    for epoch, watch in zip((1, 2), watches, strict=True):
        torch.testing.assert_close(
            losses[epoch], watch.alone, rtol=1e-4, atol=1e-5
        )
    records = epochs_of(tmp_path / 'on')
    assert [record['forward_only'] for record in records] == [0, 12, 12]
    [log] = (tmp_path / 'on').glob('2*/*.log')
    seen = [f'{count} of 12 images observed' for count in (0, 12)]
    assert [log.read_text().count(words) for words in seen] == [1, 2]
