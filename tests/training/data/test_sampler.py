"""IESSampler against DefaultSampler, with one and with several ranks."""

from collections import Counter
from pathlib import Path

import pytest
import torch
from mmengine.dataset import DefaultSampler
from mmengine.registry import DATA_SAMPLERS
from mmpretrain.datasets import RepeatAugSampler
from torch.utils.data import BatchSampler

from ies_mm.core import Selection
from ies_mm.engine import IESSampler
from ies_mm.errors import ConfigError
from runs import build_dataset, dataset_config


class Images:
    """A dataset of which only the length matters."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch):
    """Pretend to be one rank of several."""

    def become(rank: int, size: int) -> None:
        monkeypatch.setattr(
            'mmengine.dataset.sampler.get_dist_info', lambda: (rank, size)
        )

    return become


@pytest.mark.parametrize('shuffle', [True, False])
@pytest.mark.parametrize('round_up', [True, False])
@pytest.mark.parametrize('size', [1, 2, 8])
def test_stream_is_the_default_samplers(
    world, shuffle: bool, round_up: bool, size: int
) -> None:
    for rank in range(size):
        world(rank, size)
        arguments = dict(shuffle=shuffle, seed=5, round_up=round_up)
        ours = IESSampler(Images(21), **arguments)
        theirs = DefaultSampler(Images(21), **arguments)
        ours.user = world
        assert len(ours) == len(theirs)
        for epoch in range(3):
            ours.set_epoch(epoch)
            theirs.set_epoch(epoch)
            assert list(ours) == list(theirs)


def test_the_stream_survives_a_selection_of_everything(voc: Path) -> None:
    sampler = detection_sampler(voc)
    sampler.user = voc
    sampler.set_epoch(3)
    before = list(sampler)
    sampler.set_selection(Selection.everything(12))
    assert list(sampler) == before


def detection_sampler(voc: Path, **changes) -> IESSampler:
    dataset = build_dataset(dataset_config(voc, **changes))
    return DATA_SAMPLERS.build(
        dict(type='IESSampler', dataset=dataset, seed=1)
    )


def test_yields_each_selected_image_once_in_changing_order(voc: Path) -> None:
    sampler = detection_sampler(voc)
    active = torch.ones(12, dtype=torch.bool)
    active[[0, 4, 7]] = False
    sampler.set_selection(Selection(active))
    assert len(sampler) == 9
    orders = []
    for epoch in range(3):
        sampler.set_epoch(epoch)
        orders.append(list(sampler))
        assert sorted(orders[-1]) == [1, 2, 3, 5, 6, 8, 9, 10, 11]
    assert orders[0] != orders[1] != orders[2]


def test_every_call_gives_a_fresh_iterator(voc: Path) -> None:
    sampler = detection_sampler(voc)
    first, second = iter(sampler), iter(sampler)
    next(first)
    next(first)
    assert len(list(second)) == 12


@pytest.mark.parametrize('active', [0, 1, 5, 8, 12])
def test_ranks_are_even_and_cover_the_selection(
    world, voc: Path, active: int
) -> None:
    chosen = torch.zeros(12, dtype=torch.bool)
    chosen[:active] = True
    parts = []
    for rank in range(8):
        world(rank, 8)
        sampler = detection_sampler(voc)
        sampler.set_selection(Selection(chosen))
        parts.append(list(sampler))
        assert len(parts[-1]) == len(sampler)
    assert len({len(part) for part in parts}) == 1
    shown = Counter(position for part in parts for position in part)
    assert sorted(shown) == list(range(active))
    if active:
        # Padding repeats no image more than once more than another.
        assert max(shown.values()) - min(shown.values()) <= 1


def test_batch_samplers_see_the_new_length(voc: Path) -> None:
    sampler = detection_sampler(voc)
    batches = BatchSampler(sampler, batch_size=4, drop_last=False)
    assert len(batches) == 3
    sampler.set_selection(Selection(torch.arange(12) < 5))
    assert len(batches) == 2
    assert [len(batch) for batch in batches] == [4, 1]


@pytest.mark.parametrize('epoch', [0, 3])
def test_repeated_augmentation_is_mmpretrain_s(voc: Path, epoch: int) -> None:
    """Over the selected images, as if there were no others."""
    dataset = build_dataset(dataset_config(voc))
    ours = IESSampler(dataset, seed=5, num_repeats=3)
    theirs = RepeatAugSampler(dataset, num_repeats=3, seed=5)
    assert ours.instances is not None
    for sampler in (ours, theirs):
        sampler.set_epoch(epoch)
    assert [*ours] == [*theirs]
    assert len(ours) == len(theirs) == 12
    assert len({*ours}) == 4
    active = torch.ones(12, dtype=torch.bool)
    active[[0, 4, 5, 10]] = False
    ours.set_selection(Selection(active))
    kept = torch.nonzero(active).flatten().tolist()
    fewer = RepeatAugSampler(range(8), num_repeats=3, seed=5)
    fewer.set_epoch(epoch)
    assert [*ours] == [kept[index] for index in fewer]
    with pytest.raises(ConfigError, match='num_repeats=3: an endless stream'):
        ours.endless(0)
