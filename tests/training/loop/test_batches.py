"""Batch samplers whose length differs from what they yield; list sizes."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mmdet.datasets  # noqa: F401
import pytest
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import DATA_SAMPLERS
from mmengine.runner import Runner
from mmpretrain.datasets import CustomDataset
from mmpretrain.registry import DATASETS
from torch.utils.data import BatchSampler

from ies_mm.engine import IESHook, SelectiveBackpropHook
from ies_mm.errors import ConfigError
from ies_mm.training.data.shown_images import batch_instances
from ies_mm.training.loop.batches import GivenOrder, copied
from iteration_runs import IMAGES
from runs import FixedSelection, epochs_of, train
from same_runs import assert_equal
from task_runs import classifier_config, with_sampler

EPOCHS = 5
TALL = [0, 1, 3, 4, 6, 8, 11, 13, 15]
"""9 of 20 images; in batches of 4: 2 + 2 batches, 1 + 3 images left."""


@DATASETS.register_module()
class Shaped(CustomDataset):
    """Images of two shapes, with what batch samplers need."""

    def load_data_list(self) -> list[dict]:
        found = super().load_data_list()
        for number, info in enumerate(found):
            info.update(width=3, height=5 if number in TALL else 2)
        return found


class Seen(Hook):
    """Records rates and batches after MMEngine's scheduler step."""

    priority = 'LOWEST'

    def __init__(self) -> None:
        self.rates: list[list[float]] = []
        self.batches: list[list[list[int]]] = []
        self.ends: list[int] = []

    def before_train_epoch(self, runner: Runner) -> None:
        self.rates.append([])
        self.batches.append([])

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, **_: Any
    ) -> None:
        self.rates[-1] += runner.optim_wrapper.get_lr()['lr']
        self.ends.append(runner.max_iters)
        sample = data_batch['data_samples'][0]
        if 'ies_instance' in sample.metainfo_keys():
            self.batches[-1].append(batch_instances(data_batch).tolist())


def by_shape(
    folders: Path, work_dir: Path, size: Any = 4, parts: int = 1
) -> Config:
    """Batches of one shape and one part; the rest is dropped."""
    config = classifier_config(folders, work_dir)
    loader = config.train_dataloader
    loader.dataset.type = 'Shaped'
    loader.dataset.serialize_data = False
    loader.batch_size = size
    loader.batch_sampler = dict(
        type='mmdet.AspectRatioBatchSampler', drop_last=True
    )
    if parts > 1:
        loader.dataset = dict(
            type='mmdet.ConcatDataset', datasets=[loader.dataset] * parts
        )
        loader.batch_sampler = dict(
            type='mmdet.MultiDataAspectRatioBatchSampler', num_datasets=parts
        )
    config.train_cfg.max_epochs = EPOCHS
    config.default_hooks.checkpoint.interval = EPOCHS
    config.param_scheduler = [
        dict(type='PolyLR', eta_min=1e-3, by_epoch=False, end=60)
    ]
    config.optim_wrapper.accumulative_counts = 3
    return config


def run(config: Config, *hooks: Hook) -> tuple[Runner, Seen]:
    seen = Seen()

    def register(runner: Runner) -> None:
        for hook in (*hooks, seen):
            runner.register_hook(hook)

    return train(with_sampler(config) if hooks else config, register), seen


SIZES = pytest.mark.parametrize(
    ('size', 'parts'), [(4, 1), (3, 1), ([2, 4], 2)]
)


@SIZES
def test_off_is_the_plain_run(
    folders: Path, tmp_path: Path, size: Any, parts: int
) -> None:
    """Also in the steps of the schedule and of accumulated gradients."""
    plain, expected = run(by_shape(folders, tmp_path / 'a', size, parts))
    off, seen = run(
        by_shape(folders, tmp_path / 'b', size, parts), IESHook(delta=0)
    )
    said = EPOCHS * len(plain.train_dataloader)
    if size != 3:
        assert sum(map(len, expected.rates)) < said
    assert seen.rates == expected.rates
    assert seen.ends == expected.ends
    for part in ('model', 'optim_wrapper'):
        assert_equal(*(getattr(r, part).state_dict() for r in (off, plain)))


@DATA_SAMPLERS.register_module()
class EndsAtFives(BatchSampler):
    """A batch ends with a multiple of five, so their number varies."""

    def __iter__(self) -> Iterator[list[int]]:
        batch: list[int] = []
        for index in self.sampler:
            batch.append(index)
            if index % 5 == 0 or len(batch) == self.batch_size:
                yield batch
                batch = []
        if batch:
            yield batch


def test_the_last_batch_of_an_epoch_is_known(
    folders: Path, tmp_path: Path
) -> None:
    """Also of an epoch that has more batches than the first."""

    class Last(Hook):
        def __init__(self) -> None:
            self.said: list[int] = []
            self.counts: list[int] = []

        def after_train_iter(
            self, runner: Runner, batch_idx: int, *_: Any, **__: Any
        ) -> None:
            if fixed.session.pace.is_last(batch_idx):
                self.said.append(batch_idx + 1)
            self.count = batch_idx + 1

        def after_train_epoch(self, runner: Runner) -> None:
            self.counts.append(self.count)

    fixed, last = FixedSelection({}), Last()
    config = by_shape(folders, tmp_path)
    config.train_dataloader.batch_sampler = dict(
        type='EndsAtFives', drop_last=False
    )
    run(config, fixed, last)
    assert last.said == last.counts
    assert len({*last.counts}) > 1


@SIZES
def test_rates_at_the_end_of_pruned_epochs_are_the_plain_runs(
    folders: Path, tmp_path: Path, size: Any, parts: int
) -> None:
    _, expected = run(by_shape(folders, tmp_path / 'a', size, parts))
    out = {1: list(range(0, 20, 3)), 2: [*range(12)], 3: [1, 5]}
    config = by_shape(folders, tmp_path / 'b', size, parts)
    _, seen = run(config, FixedSelection(out))
    assert [r[-1] for r in seen.rates] == [r[-1] for r in expected.rates]
    made = [len(rates) for rates in seen.rates]
    assert made[2] < made[0]
    assert seen.ends[-1] == sum(made)


@pytest.mark.parametrize('size', [4, 3])
def test_epochs_whose_buckets_never_fill_get_images_back(
    folders: Path, tmp_path: Path, size: int
) -> None:
    """Two of each shape would not fill any batch of four."""
    active = [0, 1, 2, 5]
    out = [i for i in range(IMAGES) if i not in active]
    config = by_shape(folders, tmp_path, size)
    _, seen = run(config, FixedSelection(dict.fromkeys(range(1, 9), out)))
    assert all(epoch for epoch in seen.batches)
    for epoch in seen.batches[1:]:
        assert [len(batch) for batch in epoch] == [size]
    assert [r['trained'] for r in epochs_of(tmp_path)][1:] == [size] * 4


@pytest.mark.parametrize('parts', [1, 2])
def test_a_copy_of_a_batch_sampler_in_use_holds_no_images_back(
    folders: Path, tmp_path: Path, parts: int
) -> None:
    """Its buckets are half full in the middle of an epoch."""
    size = 4 if parts == 1 else [4, 4]
    config = with_sampler(by_shape(folders, tmp_path, size, parts))
    loader = Runner.build_dataloader(config.train_dataloader, seed=0)
    reading = iter(loader.batch_sampler)
    next(reading)
    order = GivenOrder(loader.dataset)
    batches = copied(loader.batch_sampler, order)
    batches.drop_last = False
    order.given = [0, 1, 2, 3]
    assert sorted(i for batch in batches for i in batch) == order.given
    # The original still holds its own.
    loader.batch_sampler.drop_last = False
    rest = sum(len(batch) for batch in reading)
    assert rest == len(loader.dataset) - 4


def test_no_batch_at_all_is_refused(folders: Path, tmp_path: Path) -> None:
    """Fewer images of either shape than a batch needs."""
    config = by_shape(folders, tmp_path, 20)
    with pytest.raises(ConfigError, match='no batch of 20 images: batch_si'):
        run(config, FixedSelection({}))


def test_sizes_of_parts_serve_every_part_of_a_training(
    folders: Path, tmp_path: Path
) -> None:
    """Scoring with another batch size, selection in the step."""
    config = by_shape(folders, tmp_path / 'a', [2, 4], 2)
    budget = dict(type='Budget', saved=0.3)
    run(config, IESHook(budget, order=0, window=1, scoring=dict(batch_size=3)))
    records = epochs_of(tmp_path / 'a')
    assert [r['forward_only'] for r in records] == [
        r['excluded'] for r in records
    ]
    assert any(r['excluded'] for r in records)
    config = by_shape(folders, tmp_path / 'b', [2, 4], 2)
    run(config, SelectiveBackpropHook())
    assert len(epochs_of(tmp_path / 'b')) == EPOCHS
