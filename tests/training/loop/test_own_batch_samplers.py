"""Batch samplers of a user's own."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import DATA_SAMPLERS
from torch.utils.data import BatchSampler

from ies_mm.engine import IESHook, PerImageLossHook
from ies_mm.errors import ConfigError
from method_cases import config_of
from runs import FixedSelection, epochs_of, instances_of, train, with_hook

OUT = [0, 1, 2, 3, 4, 5]
"""6 of 20 images; in batches of 4, two are left."""


@DATA_SAMPLERS.register_module()
class HoldsOver(BatchSampler):
    """Keeps the images that fill no batch for the next epoch."""

    def __init__(self, sampler: Any, batch_size: int) -> None:
        super().__init__(sampler, batch_size, False)
        self.rest: list[int] = []

    def __iter__(self) -> Iterator[list[int]]:
        for index in self.sampler:
            self.rest.append(index)
            if len(self.rest) == self.batch_size:
                batch, self.rest = self.rest, []
                yield batch

    def __len__(self) -> int:
        return len(self.sampler) // self.batch_size


@DATA_SAMPLERS.register_module()
class Full(HoldsOver):
    """Drops them, whatever ``drop_last`` says."""

    def __iter__(self) -> Iterator[list[int]]:
        yield from super().__iter__()
        self.rest = []


@DATA_SAMPLERS.register_module()
class Hidden(BatchSampler):
    """Has a sampler by a name of its own."""

    def __init__(self, sampler: Any, batch_size: int) -> None:
        super().__init__(sampler, batch_size, False)
        self.mine = vars(self).pop('sampler')

    def __len__(self) -> int:
        return len(self.mine) // self.batch_size


def with_batches(folders: Path, work_dir: Path, kind: str) -> Config:
    config = config_of(folders, work_dir, 4)
    config.train_dataloader.batch_sampler = dict(type=kind)
    return config


@pytest.mark.parametrize('kind', ['Full', 'HoldsOver'])
@pytest.mark.parametrize('size', [None, 5])
def test_all_pruned_images_are_scored(
    folders: Path, tmp_path: Path, kind: str, size: int | None
) -> None:
    """Also in a pass after another one that left some."""
    config = with_batches(folders, tmp_path, kind)
    if kind == 'HoldsOver':  # Batches of 2 leave none in the training.
        config.train_dataloader.batch_size = 2
    plan = {1: OUT, 2: [0, 1], 3: OUT}
    options = dict(scoring=dict(batch_size=size)) if size else {}
    train(
        config, with_hook(FixedSelection(plan, keep_history=True, **options))
    )
    losses = instances_of(tmp_path)['losses'][..., 0]
    for epoch, out in plan.items():
        assert np.isfinite(losses[epoch, out]).all()
    scored = [record['forward_only'] for record in epochs_of(tmp_path)[1:]]
    assert scored == [len(out) for out in plan.values()]


def test_one_that_holds_images_over_is_named(
    folders: Path, tmp_path: Path
) -> None:
    config = with_batches(folders, tmp_path, 'HoldsOver')
    config.train_dataloader.batch_size = 3  # of 20 images
    out = {epoch: [*range(11)] for epoch in (1, 2, 3)}
    with pytest.raises(ConfigError) as error:
        train(config, with_hook(FixedSelection(out)))
    said = str(error.value)
    assert said.startswith('train_dataloader.batch_sampler=HoldsOver: the da')
    assert said.endswith('must hold no images over to the next epoch')
    assert '\n' not in said


@pytest.mark.parametrize('hook', [IESHook(0.1), PerImageLossHook()])
def test_one_that_hides_its_sampler_is_refused(
    folders: Path, tmp_path: Path, hook: Hook
) -> None:
    config = with_batches(folders, tmp_path, 'Hidden')
    with pytest.raises(ConfigError, match='Hidden must keep its sampler as s'):
        train(config, with_hook(hook))
