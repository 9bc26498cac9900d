"""Which images a mixed sample contains.

Each image has one grey value, which identifies its pixels in a mosaic.
"""

import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.reduction import ForkingPickler
from typing import Any

import mmdet.datasets
import numpy as np
import pytest
import torch
from mmdet.registry import TRANSFORMS
from mmdet.structures.bbox import HorizontalBoxes
from mmengine.dataset import BaseDataset
from mmengine.registry import init_default_scope
from mmengine.runner.runner import _SlicedDataset
from torch.utils.data import DataLoader

import ies_mm.engine  # noqa: F401
import transforms  # noqa: F401
from ies_mm.training.data.identity import InstanceMap
from ies_mm.training.data.mixable_images import Kept
from ies_mm.training.data.tagged_datasets import unmixed
from ies_mm.training.data.tagging import TAG, partners_in

IMAGES = 9
CORNER = dict(img_scale=(8, 8), center_ratio_range=(1.0, 1.0))
"""The mosaic's centre in the middle: all four images are fully visible."""
CACHED = dict(max_cached_images=40, random_pop=False)
BEFORE = [dict(type='Grey')]
KEPT = [1, 2, 4, 6, 8]


@TRANSFORMS.register_module()
class Grey:
    """An image filled with ten times its number, and one box."""

    def __call__(self, results: dict) -> dict:
        value = 10 * results['sample_idx']
        return results | dict(
            img=np.full((8, 8, 3), value, dtype=np.uint8),
            img_shape=(8, 8),
            gt_bboxes=HorizontalBoxes(torch.tensor([[1.0, 1.0, 6.0, 6.0]])),
            gt_bboxes_labels=np.zeros(1, dtype=np.int64),
            gt_ignore_flags=np.zeros(1, dtype=bool),
        )


class Greys(BaseDataset):
    """A dataset of such images."""

    def load_data_list(self) -> list[dict]:
        return [dict(img_path=f'{i}.png') for i in range(IMAGES)]


def leaf(*pipeline: dict) -> Greys:
    init_default_scope('mmdet')
    return Greys(pipeline=[*BEFORE, *pipeline])


def cached() -> Greys:
    mosaic = dict(type='CachedMosaic', **CORNER, **CACHED)
    return leaf(mosaic, dict(type='PackDetInputs', meta_keys=()))


def wrapped(*pipeline: dict) -> Any:
    pack = dict(type='PackDetInputs', meta_keys=())
    return mmdet.datasets.MultiImageMixDataset(leaf(), [*pipeline, pack])


def mosaics() -> Any:
    return wrapped(dict(type='Mosaic', **CORNER))


BOTH = pytest.mark.parametrize('make', [cached, mosaics])


def shown(item: dict) -> set[int]:
    """The images with pixels in a sample; 114 is padding."""
    greys = item['inputs'].unique().tolist()
    return {grey // 10 for grey in greys if grey != 114}


def noted(item: dict) -> set[int]:
    sample = item['data_samples']
    return {getattr(sample, TAG), *partners_in(sample)}


def flags(kept: list[int]) -> torch.Tensor:
    active = torch.zeros(IMAGES, dtype=torch.bool)
    active[kept] = True
    return active


@contextmanager
def tagging(dataset: Any) -> Iterator[InstanceMap]:
    instances = InstanceMap(dataset)
    with instances.tagging():
        yield instances


@BOTH
def test_nothing_pruned_is_the_plain_data_set(make: Any) -> None:
    """Same random numbers, same samples."""
    order = [0, 3, 1, 2, 5, 8, 4, 7, 6, 1, 0, 2] * 2
    np.random.seed(3)
    plain = make()
    expected = [plain[i]['inputs'] for i in order]
    left = np.random.random()
    np.random.seed(3)
    dataset = make()
    with tagging(dataset):
        found = [dataset[i]['inputs'] for i in order]
    assert all(map(torch.equal, found, expected))
    assert np.random.random() == left
    assert len({len(image.unique()) for image in found}) > 1  # it mixes


@BOTH
def test_a_sample_says_which_images_are_in_it(make: Any) -> None:
    np.random.seed(0)
    dataset = make()
    with tagging(dataset):
        items = [dataset[i % IMAGES] for i in range(40)]
    assert [noted(item) for item in items] == [*map(shown, items)]
    assert max(len(noted(item)) for item in items) == 4


@BOTH
def test_partners_are_of_what_is_kept(make: Any) -> None:
    np.random.seed(0)
    dataset = make()
    with tagging(dataset) as instances:
        for i in range(20):  # fills the cache with all images
            dataset[i % IMAGES]
        instances.keep(flags(KEPT))
        items = [dataset[KEPT[i % 5]] for i in range(40)]
        assert all(shown(item) <= set(KEPT) for item in items)
        assert set().union(*map(shown, items)) == set(KEPT)
        instances.keep(flags([*range(IMAGES)]))
        back = [dataset[i % IMAGES] for i in range(40)]
    assert set().union(*map(shown, back)) == set(range(IMAGES))


def test_a_cached_mixture_goes_with_any_image_in_it() -> None:
    """CachedMixUp's cache holds mosaics of up to four images each.

    It blends two: if only dark images are kept, nothing is brighter.
    """
    dark = [0, 1, 2, 3, 4]
    mosaic = dict(type='CachedMosaic', **CORNER, **CACHED, pad_val=0)
    mixup = dict(type='CachedMixUp', img_scale=(16, 16), **CACHED)
    mixup |= dict(pad_val=0, prob=0.5)
    np.random.seed(0)
    dataset = leaf(mosaic, mixup, dict(type='PackDetInputs', meta_keys=()))
    with tagging(dataset) as instances:
        before = [dataset[i % IMAGES] for i in range(20)]
        instances.keep(flags(dark))
        items = [dataset[i % 5] for i in range(30)]
    assert max(item['inputs'].max() for item in before) > 40
    assert max(item['inputs'].max() for item in items) == 40
    assert all(noted(item) <= set(dark) for item in items)
    assert max(len(noted(item)) for item in items) == 5


def test_inside_of_random_apply() -> None:
    mosaic = dict(type='CachedMosaic', **CORNER, **CACHED)
    np.random.seed(0)
    dataset = leaf(
        dict(type='RandomApply', transforms=[mosaic], prob=0.7),
        dict(type='PackDetInputs', meta_keys=()),
    )
    with tagging(dataset) as instances:
        items = [dataset[i % IMAGES] for i in range(30)]
        assert [noted(item) for item in items] == [*map(shown, items)]
        instances.keep(flags(KEPT))
        items = [dataset[KEPT[i % 5]] for i in range(30)]
        assert all(shown(item) <= set(KEPT) for item in items)
    assert type(dataset.pipeline.transforms[1]).__name__ == 'RandomApply'


def test_a_mixup_that_mixes_nothing_notes_nobody() -> None:
    """It rejects a partner without boxes, although it was loaded."""
    nothing = dict(type='FilterAnnotations', min_gt_bbox_wh=(1, 1))
    dataset = wrapped(dict(type='MixUp', img_scale=(8, 8)), nothing)
    with tagging(dataset):
        assert len(noted(dataset[0])) == 2
        dataset.dataset.pipeline.transforms.append(Empty())
        assert noted(dataset[3]) == {3}


class Empty:
    """Removes all boxes."""

    def __call__(self, results: dict) -> dict:
        empty = HorizontalBoxes(torch.zeros(0, 4))
        return results | dict(
            gt_bboxes=empty,
            gt_bboxes_labels=np.zeros(0, dtype=np.int64),
            gt_ignore_flags=np.zeros(0, dtype=bool),
        )


def persistent(dataset: Any, workers: int) -> DataLoader:
    return DataLoader(
        dataset,
        sampler=KEPT * 4,
        batch_size=None,
        num_workers=workers,
        persistent_workers=True,
    )


@BOTH
def test_persistent_workers_follow(make: Any) -> None:
    """They have copies of the dataset from before the selection."""
    dataset = make()
    loader = persistent(dataset, 2)
    with tagging(dataset) as instances:
        before = [shown(item) for item in loader]
        if make is mosaics:  # A cache only contains images that were shown.
            assert set().union(*before) == set(range(IMAGES))
        for kept in ([1, 2, 4], KEPT):
            instances.keep(flags(kept))
            items = [
                i for i in loader if getattr(i['data_samples'], TAG) in kept
            ]
            assert all(shown(item) <= set(kept) for item in items)
        del loader._iterator


def test_persistent_workers_follow_in_a_second_training() -> None:
    dataset = mosaics()
    loader = persistent(dataset, 1)
    instances = InstanceMap(dataset)
    for _ in range(2):
        with instances.tagging():
            everything = [shown(item) for item in loader]
            instances.keep(flags(KEPT))
            kept = [shown(item) for item in loader]
        assert not set().union(*everything) <= set(KEPT)
        assert set().union(*kept) <= set(KEPT)
    del loader._iterator


def test_a_partner_that_is_no_instance_may_be_mixed_in() -> None:
    """``num_batch_per_epoch`` shows only some of the images."""
    dataset = _SlicedDataset(mosaics(), 4)
    with tagging(dataset) as instances:
        np.random.seed(0)
        instances.keep(torch.ones(4, dtype=torch.bool))
        items = [dataset[i % 4] for i in range(20)]
    assert max(set().union(*map(shown, items))) > 3
    for item in items:
        own = {number for number in noted(item) if number >= 0}
        assert own == {number for number in shown(item) if number < 4}


@BOTH
def test_workers_that_are_spawned_follow(make: Any) -> None:
    """They get a pickled dataset along with shared memory."""
    dataset = make()
    with tagging(dataset) as instances:
        copy = pickle.loads(ForkingPickler.dumps(dataset))
        for i in range(20):
            copy[i % IMAGES]
        instances.keep(flags(KEPT))
        items = [copy[KEPT[i % 5]] for i in range(20)]
    assert all(shown(item) <= set(KEPT) for item in items)
    assert max(len(noted(item)) for item in items) == 4


def test_another_image_is_fetched_of_what_is_kept() -> None:
    """The plain dataset fetches any image if a pipeline returns None."""
    refuse = dict(type='Refuse', images=[1])
    pack = dict(type='PackDetInputs', meta_keys=())
    np.random.seed(0)
    plain = leaf(refuse, pack)
    expected = [shown(plain[1]) for _ in range(30)]
    np.random.seed(0)
    dataset = leaf(refuse, pack)
    with tagging(dataset) as instances:
        assert [shown(dataset[1]) for _ in range(30)] == expected
        instances.keep(flags(KEPT))
        found = [shown(dataset[1]) for _ in range(30)]
    assert set().union(*found) == set(KEPT) - {1}


@pytest.mark.parametrize('kept', [[], [3], [3, 5]])
def test_if_no_kept_image_can_be_read_any_other_is_fetched(
    kept: list[int],
) -> None:
    refuse = dict(type='Refuse', images=[1, 3, 5])
    dataset = leaf(refuse, dict(type='PackDetInputs', meta_keys=()))
    np.random.seed(0)
    with tagging(dataset) as instances:
        instances.keep(flags(kept))
        copy = pickle.loads(ForkingPickler.dumps(dataset))
        for fetching in (dataset, copy, unmixed(dataset, dataset.pipeline)):
            for asked in (1, 3, 5):
                found = [shown(fetching[asked]) for _ in range(40)]
                assert set().union(*found) == {0, 2, 4, 6, 7, 8}


def test_a_pruned_part_is_mixed_with_itself() -> None:
    """So are its images where mixtures are scored."""
    dataset = mosaics()
    with tagging(dataset) as instances:
        instances.keep(flags([]))
        items = [dataset[i] for i in range(IMAGES)]
    assert [noted(item) for item in items] == [*map(shown, items)]
    assert max(len(noted(item)) for item in items) == 4


def test_it_is_the_plain_data_set_again_afterwards() -> None:
    dataset = mosaics()
    own = [*dataset.pipeline]
    with tagging(dataset) as instances:
        instances.keep(flags(KEPT))
    assert dataset.pipeline == own
    assert 'ies' not in str(dataset[0]['data_samples'].metainfo_keys())


def test_the_kept_positions_are_found_once_for_each_selection() -> None:
    """Every draw of a partner asks for them, in a data set of any size."""
    kept, numbers = Kept(4), torch.tensor([2, 0, -1, 0, 3])
    others = torch.tensor([1, 3])
    assert kept.positions(numbers) is None
    for active in ([1, 0, 0, 1], [0, 1, 1, 1], [0, 1, 0, 0]):
        kept.set(torch.tensor(active).bool())
        for shown in (numbers, others, numbers):
            literal = [i for i, n in enumerate(shown) if n < 0 or active[n]]
            every = len(literal) == len(shown)
            assert kept.positions(shown) == (None if every else literal)
        assert kept.positions(numbers) is kept.positions(numbers)
