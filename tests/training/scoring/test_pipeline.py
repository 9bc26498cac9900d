"""Non-mixing pipelines derived from stock configs."""

from typing import Any

import mmdet.datasets  # noqa: F401
import mmpretrain.datasets  # noqa: F401
import mmseg.datasets  # noqa: F401
import pytest
from mmengine.dataset import Compose
from mmengine.hub import get_config
from mmengine.registry import init_default_scope

from ies_mm.training.scoring.pipeline import described, without_mixing

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


def test_what_is_not_known_is_kept() -> None:
    """The log shows the pipeline, and users can replace it."""

    class OfOnesOwn:
        def __call__(self, results: dict) -> dict:
            return results

    own = OfOnesOwn()
    [kept] = without_mixing([own])
    assert isinstance(kept, OfOnesOwn)
