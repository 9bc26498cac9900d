"""The last batch of an epoch: no image is alone in it, or dropped by it."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.dataset import sampler as mmengine_sampler
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ies_mm.core import Selection
from ies_mm.training.data import sampler as sampler_module
from ies_mm.training.data.shown_images import batch_instances
from ies_mm.training.loop import batches as batches_module
from ies_mm.training.loop.epoch_pace import EpochPace
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


@pytest.mark.parametrize('round_up', [True, False])
@pytest.mark.parametrize(
    ('size', 'drop_last'), [(1, False), (2, False), (4, False), (4, True)]
)
def test_two_ranks_have_as_many_batches_and_none_of_one_image(
    folders: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    size: int,
    drop_last: bool,
    round_up: bool,
) -> None:
    """Whether the last ones are repeated for the second rank or not."""
    for module in (sampler_module, batches_module):
        for name in ('get_world_size', 'get_rank'):
            if hasattr(module, name):
                value = 2 if name == 'get_world_size' else 0
                monkeypatch.setattr(module, name, lambda value=value: value)
    monkeypatch.setattr(mmengine_sampler, 'get_dist_info', lambda: (0, 2))
    config = config_of(folders, tmp_path, EPOCHS)
    config.train_dataloader.update(batch_size=size, drop_last=drop_last)
    config.train_dataloader.sampler.round_up = round_up
    runner = Runner.from_cfg(config)
    runner.train_loop  # noqa: B018  builds the loader
    sampler = runner.train_dataloader.sampler
    pace = EpochPace(runner, sampler)
    for count in range(1, IMAGES):
        active = torch.arange(IMAGES) < count
        filled = pace.fill_batches(0, Selection(active))
        assert bool(filled.active[active].all())
        sampler.set_selection(filled)
        ranks = [
            [len(order[k : k + size]) for k in range(0, len(order), size)]
            for order in sampler.orders(sampler.positions, 0)
        ]
        if drop_last:
            ranks = [[n for n in found if n == size] for found in ranks]
        assert len(ranks[0]) == len(ranks[1]) > 0
        assert size == 1 or 1 not in ranks[0] + ranks[1]
        # As many as that takes, and not many more.
        assert len(filled.excluded) >= IMAGES - count - 2 * size
