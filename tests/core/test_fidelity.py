"""Decisions on a real CIFAR-10 training, against the literal loop's.

``data/cifar10_losses.npz`` holds the losses of every tenth image in the 30
epochs of ``configs/cifar/ies_resnet14_cifar10_10k.py`` with ``dry_run=True``,
seed 0 (docs/results_archive.md).
"""

from pathlib import Path

import numpy as np
import pytest
import torch

from ies_mm.core import Criterion, LossHistory
from ies_mm.core.reference import ReferenceIES

RECORDED = Path(__file__).parents[1] / 'data' / 'cifar10_losses.npz'


@pytest.mark.parametrize('delta', [0.01, 0.03, 0.3])
def test_the_excluded_sets_are_the_literal_loop_s(delta: float) -> None:
    with np.load(RECORDED) as arrays:
        losses = arrays['losses']
    epochs, instances = losses.shape
    assert (epochs, instances) == (30, 1000)
    criterion = Criterion(delta)
    history = LossHistory(instances, 1, criterion.depth)
    reference = ReferenceIES(instances, delta)
    excluded = []
    for row in losses:
        history.observe(torch.arange(instances), torch.tensor(row)[:, None])
        ours = criterion.mastered(history, ['loss']).tolist()
        theirs = reference.step(
            {i: [value] for i, value in enumerate(row.tolist())}
        )
        assert ours == theirs
        excluded.append(sum(ours))
    assert excluded[:5] == [0] * 5  # six observations come first
    assert 0 < excluded[-1] < instances
