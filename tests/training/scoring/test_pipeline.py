"""Non-mixing pipelines derived from stock configs."""

from pathlib import Path
from typing import Any

import mmdet.datasets  # noqa: F401
import mmpretrain.datasets  # noqa: F401
import mmseg.datasets  # noqa: F401
import pytest
import torch
from mmengine.dataset import Compose
from mmengine.hub import get_config
from mmengine.registry import init_default_scope
from mmpretrain.datasets import CustomDataset

from ies_mm.training.scoring.pipeline import (
    described,
    scoring_pipelines,
    without_mixing,
)

LOAD = 'LoadImageFromFile, LoadAnnotations, '
STOCK = {
    'mmdet::rtmdet/rtmdet_tiny_8xb32-300e_coco.py': (
        LOAD + 'Resize(640, 640), Pad(640, 640), PackDetInputs'
    ),
    'mmdet::rtmdet/rtmdet-ins_tiny_8xb32-300e_coco.py': (
        LOAD + 'Resize(640, 640), Pad(640, 640), FilterAnnotations, '
        'PackDetInputs'
    ),
    'mmdet::yolox/yolox_tiny_8xb8-300e_coco.py': (
        LOAD + 'Resize(640, 640), Pad, FilterAnnotations, PackDetInputs'
    ),
    'mmpretrain::convnext/convnext-tiny_32xb128_in1k.py': (
        'LoadImageFromFile, Resize(224, 224), PackInputs'
    ),
    'mmpretrain::deit/deit-tiny_4xb256_in1k.py': (
        'LoadImageFromFile, Resize(224, 224), PackInputs'
    ),
    'mmpretrain::resnet/resnet50_8xb32_in1k.py': (
        'LoadImageFromFile, Resize(224, 224), PackInputs'
    ),
}
"""What remains of the training pipeline, by config."""


def transforms_of(dataset: Any) -> list:
    """The transforms, the innermost dataset's first."""
    inner = dataset.get('dataset')
    before = transforms_of(inner) if inner else []
    return [*before, *Compose(dataset.pipeline).transforms]


@pytest.mark.parametrize('name', STOCK)
def test_of_stock_configs(name: str) -> None:
    config = get_config(name)
    init_default_scope(config.default_scope)
    transforms = transforms_of(config.train_dataloader.dataset)
    kept = without_mixing(transforms)
    assert described(Compose(kept)) == STOCK[name]
    assert not {*map(id, kept)} & {*map(id, transforms)}
    for transform in kept:
        if type(transform).__name__ == 'FilterAnnotations':
            # With True, it returns None.
            assert transform.keep_empty is False
        if type(transform).__name__ == 'Resize':
            keeps = config.default_scope == 'mmdet'
            assert transform.keep_ratio is keeps


def of(scope: str, *pipeline: dict) -> str:
    init_default_scope(scope)
    return described(Compose(without_mixing(Compose(pipeline).transforms)))


def test_of_a_segmentor() -> None:
    """mmseg gives the height first."""
    found = of(
        'mmseg',
        dict(type='LoadImageFromFile'),
        dict(type='LoadAnnotations'),
        dict(type='RandomMosaic', prob=0.5, img_scale=(40, 60)),
        dict(type='RandomResize', scale=(80, 60), ratio_range=(0.5, 2.0)),
        dict(type='RandomCrop', crop_size=(32, 48)),
        dict(type='PhotoMetricDistortion'),
        dict(type='PackSegInputs'),
    )
    assert found == LOAD + 'Resize(48, 32), PackSegInputs'


def test_the_size_is_the_mosaic_s_where_nothing_else_gives_one() -> None:
    mosaic = dict(type='CachedMosaic', img_scale=(96, 64))
    found = of(
        'mmdet', dict(type='LoadImageFromFile'), mosaic,
        dict(type='RandomFlip', prob=0.5), dict(type='PackDetInputs'),
    )  # fmt: skip
    assert found == 'LoadImageFromFile, Resize(96, 64), PackDetInputs'


def test_cifar_keeps_its_size() -> None:
    """A crop of padded images is as large as the originals."""
    found = of(
        'mmpretrain', dict(type='RandomCrop', crop_size=32, padding=4),
        dict(type='RandomFlip', prob=0.5), dict(type='PackInputs'),
    )  # fmt: skip
    assert found == 'Resize(32, 32), PackInputs'


def test_torchvision_s_transforms() -> None:
    """mmpretrain wraps them all in one class."""
    found = of(
        'mmpretrain',
        dict(type='LoadImageFromFile'),
        dict(type='NumpyToPIL', to_rgb=True),
        dict(type='torchvision/RandomResizedCrop', size=(32, 48)),
        dict(type='torchvision/TrivialAugmentWide'),
        dict(type='torchvision/ColorJitter', brightness=0.4),
        dict(type='torchvision/Grayscale'),
        dict(type='PILToNumpy', to_bgr=True),
        dict(type='PackInputs'),
    )
    assert found == (
        'LoadImageFromFile, NumpyToPIL, Resize(32, 48), Grayscale, '
        'PILToNumpy, PackInputs'
    )


def test_images_can_be_scored_by_torchvision_s_transforms(
    folders: Path,
) -> None:
    """The resize takes PIL images where the crop did."""
    init_default_scope('mmpretrain')
    pipeline = [
        dict(type='LoadImageFromFile'),
        dict(type='NumpyToPIL', to_rgb=True),
        dict(type='torchvision/RandomResizedCrop', size=(32, 48)),
        dict(type='PILToNumpy', to_bgr=True),
        dict(type='PackInputs'),
    ]
    dataset = CustomDataset(data_root=str(folders), pipeline=pipeline)
    [scoring] = scoring_pipelines(dataset)
    images = [scoring(dataset.get_data_info(0))['inputs'] for _ in range(2)]
    assert images[0].shape == (3, 32, 48)
    assert torch.equal(*images)


def test_what_is_nested_is_dropped_too() -> None:
    """As in mmdet's Fast R-CNN, whose proposals are flipped as boxes are."""
    init_default_scope('mmdet')
    steps = [
        dict(type='Resize', scale=(64, 48), keep_ratio=True),
        dict(type='RandomFlip', prob=0.5),
    ]
    transforms = Compose(
        [
            dict(type='LoadImageFromFile'),
            dict(type='ProposalBroadcaster', transforms=steps),
            dict(type='PackDetInputs'),
        ]
    ).transforms
    kept = without_mixing(transforms)
    names = [[type(t).__name__ for t in kept[1].transforms.transforms]]
    names += [[type(t).__name__ for t in transforms[1].transforms.transforms]]
    assert names == [['Resize'], ['Resize', 'RandomFlip']]


def test_what_is_not_known_is_kept() -> None:
    """The log shows the pipeline, and users can replace it."""

    class OfOnesOwn:
        def __call__(self, results: dict) -> dict:
            return results

    own = OfOnesOwn()
    [kept] = without_mixing([own])
    assert isinstance(kept, OfOnesOwn)
