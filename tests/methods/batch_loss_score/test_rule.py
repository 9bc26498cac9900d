"""Batch Loss Score against its description, also in a training."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from ies_mm.core import LossHistory, Standing
from ies_mm.engine import BatchLossScoreHook
from ies_mm.methods.batch_loss_score.rule import BatchLossScore
from ies_mm.training.hook.steps import Steps
from method_cases import config_of
from runs import epochs_of, instances_of, train, with_hook


@pytest.mark.parametrize('seed', range(3))
def test_the_score_is_a_literal_running_mean(seed: int) -> None:
    draw = np.random.default_rng(seed)
    alpha, images, epochs = 0.7, 30, 12
    method = BatchLossScore(alpha=alpha)
    method.begin_training(images, seed)
    history = LossHistory(images, 1, 1)
    score: dict[int, float] = {}
    for epoch in range(1, epochs):
        seen = np.flatnonzero(draw.random(images) < 0.7)
        losses = draw.random(len(seen))
        for image, loss in zip(seen, losses, strict=True):
            before = score.get(image, loss)
            score[image] = alpha * before + (1 - alpha) * loss
        standing = Standing(images, epoch, epochs, 0, 0.1)
        ids = torch.from_numpy(seen)
        method.update(ids, torch.from_numpy(losses)[:, None], standing)
        decision = method.decide(history, ['loss'], standing)
        mean = np.mean([*score.values()])
        below = [score.get(image, mean) < mean for image in range(images)]
        assert decision.mastered.tolist() == below
        if epoch < math.floor(epochs * (1 - 0.125)):
            # Half of those below the mean; the other half counts twice.
            active = decision.selection.active.tolist()
            weight = decision.selection.weight.tolist()
            pruned = [k for k in range(images) if not active[k]]
            assert all(below[k] for k in pruned)
            assert abs(len(pruned) - sum(below) / 2) <= 0.5
            for k in range(images):
                assert weight[k] == (2 if below[k] and active[k] else 1)


def test_every_image_has_its_batch_s_loss(
    folders: Path, tmp_path: Path
) -> None:
    """In the first epoch, one value per batch, and InfoBatch's mean."""
    plain, averaged = tmp_path / 'plain', tmp_path / 'averaged'
    for work_dir, hook in (
        (averaged, BatchLossScoreHook(keep_history=True)),
        (plain, BatchLossScoreHook(keep_history=True)),
    ):
        config = config_of(folders, work_dir, 3)
        if work_dir == plain:
            hook.steps = Steps
        train(config, with_hook(hook))
    own, batch = (instances_of(path)['losses'] for path in (plain, averaged))
    values, images = np.unique(batch[0], return_counts=True)
    size = config.train_dataloader.batch_size
    assert len(values) == np.ceil(len(own[0]) / size)
    assert images.sum() == len(own[0])
    assert batch[0].mean() == pytest.approx(own[0].mean(), rel=1e-5)
    assert batch[0].std() < 0.8 * own[0].std()
    assert epochs_of(averaged)[-1]['method'] == 'Batch Loss Score'
