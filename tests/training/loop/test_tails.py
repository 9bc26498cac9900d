"""The last batch of an epoch: no image is alone in it, or dropped by it."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ies_mm.training.data.identity import batch_instances
from method_cases import config_of
from runs import FixedSelection, train

IMAGES = 20
EPOCHS = 9


class Shown(Hook):
    """Records the batches of every epoch."""

    def __init__(self) -> None:
        self.epochs: list[list[list[int]]] = []

    def before_train_epoch(self, runner: Runner) -> None:
        self.epochs.append([])

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, **_: Any
    ) -> None:
        self.epochs[-1].append(batch_instances(data_batch).tolist())


def shown(
    folders: Path, work_dir: Path, active: int, size: int, drop_last: bool
) -> list[list[list[int]]]:
    """Batches after the first epoch; images below 'active' train."""
    config = config_of(folders, work_dir, EPOCHS)
    config.train_dataloader.update(batch_size=size, drop_last=drop_last)
    config.default_hooks.checkpoint.interval = EPOCHS
    out = list(range(active, IMAGES))
    hook, batches = FixedSelection(dict.fromkeys(range(1, 20), out)), Shown()

    def register(runner: Runner) -> None:
        runner.register_hook(hook)
        runner.register_hook(batches)

    train(config, register)
    return batches.epochs[1:]


@pytest.mark.parametrize(
    ('active', 'size'), [(1, 4), (2, 4), (9, 4), (11, 4), (16, 5), (13, 3)]
)
def test_every_active_image_is_trained_in_every_epoch(
    folders: Path, tmp_path: Path, active: int, size: int
) -> None:
    epochs = shown(folders, tmp_path, active, size, drop_last=False)
    lonely = active % size == 1
    for batches in epochs:
        assert 1 not in map(len, batches)
        trained = [number for batch in batches for number in batch]
        assert len(trained) == len(set(trained)) == active + lonely
        assert set(range(active)) <= set(trained)


@pytest.mark.parametrize(('active', 'size'), [(2, 4), (9, 4), (11, 4), (7, 5)])
def test_what_is_dropped_is_another_one_each_time(
    folders: Path, tmp_path: Path, active: int, size: int
) -> None:
    epochs = shown(folders, tmp_path, active, size, drop_last=True)
    counts: Counter[int] = Counter()
    for batches in epochs:
        assert {len(batch) for batch in batches} == {size}
        assert len(batches) == max(1, active // size)
        counts.update(number for batch in batches for number in batch)
    dropped = max(0, active % size) if active > size else 0
    total = sum(counts[number] for number in range(active))
    assert total == (EPOCHS - 1) * (active - dropped)
    assert min(counts[number] for number in range(active)) >= 2
