"""The coverage tool makes models cheap and their draws repeatable."""

import copy
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope


def every(config: Any, key: str) -> list:
    """The values of a key, at any depth."""
    parts = config.values() if isinstance(config, dict) else config
    found = [config[key]] if isinstance(config, dict) and key in config else []
    for part in parts:
        if isinstance(part, dict | list | tuple):
            found += every(part, key)
    return found


@pytest.mark.parametrize('library', ['mmdet', 'mmseg', 'mmpretrain'])
def test_reduction_keeps_every_layer_and_loss(tool: Any, library: str) -> None:
    """All types of a model except those known to be removed."""
    gone = {'Pretrained', 'SyncBN', 'BN', 'Mixup', 'CutMix', 'ResizeMix'}
    for row in tool('listed').families(library)[:12]:
        shipped = Config.fromfile(row.path).model.to_dict()
        reduced = tool('reduce').reduced(shipped, library)
        before, after = (set(every(m, 'type')) for m in (shipped, reduced))
        missing = {kind for kind in before - after if kind not in gone}
        assert not {m for m in missing if not m.startswith('Batch')}
        assert after <= before | {'BN'}


def test_reduction_takes_away_what_needs_the_network(tool: Any) -> None:
    init = dict(type='Pretrained', checkpoint='https://x/y.pth')
    config = dict(
        pretrained='torchvision://resnet50',
        backbone=dict(norm_cfg=dict(type='SyncBN'), init_cfg=init),
        neck=dict(init_cfg=[dict(type='Kaiming'), init], with_cp=True),
        head=dict(init_cfg=dict(type='Normal'), num_queries=300),
        data_preprocessor=dict(batch_augments=[dict(type='Mixup')]),
    )
    assert tool('reduce').reduced(config, 'mmdet') == dict(
        pretrained=None,
        backbone=dict(norm_cfg=dict(type='BN')),
        neck=dict(with_cp=False),
        head=dict(init_cfg=dict(type='Normal'), num_queries=40),
        data_preprocessor=dict(batch_augments=None),
    )


DRAWS: dict[str, Callable[[int], Any]] = {
    'rand': lambda n: torch.rand(n, 3, 2),
    'rand_like': lambda n: torch.rand_like(torch.zeros(n, 5)),
    'randn': lambda n: torch.randn((n, 20)),
    'normal_': lambda n: torch.zeros(n, 20).normal_(),
    'uniform_': lambda n: torch.zeros(n, 4).uniform_(2, 3),
    'randint': lambda n: torch.randint(3, 9, (n, 6)),
    'randint_like': lambda n: torch.randint_like(torch.zeros(n, 6), 0, 9),
}


@pytest.mark.parametrize('name', DRAWS)
def test_an_image_draws_the_same_in_every_batch(tool: Any, name: str) -> None:
    with tool('draws').same_draws():
        rows = [row for n in (1, 2, 5) for row in DRAWS[name](n)]
    assert all(torch.equal(row, rows[0]) for row in rows)
    assert len(rows[0].unique()) > 1


def test_draws_keep_to_their_range(tool: Any) -> None:
    with tool('draws').same_draws():
        whole = torch.randint(3, 9, (1, 500))
        real = torch.zeros(1, 500).uniform_(2, 3)
        assert 0.9 < torch.randn(1, 5000).std() < 1.1
    assert set(whole.unique().tolist()) == {3, 4, 5, 6, 7, 8}
    assert 2 <= real.min() < 2.1 < 2.9 < real.max() <= 3


def test_permutations_and_other_libraries_repeat_themselves(tool: Any) -> None:
    with tool('draws').same_draws():
        for draw in (
            lambda: torch.randperm(20).tolist(),
            lambda: np.random.permutation(20).tolist(),
            lambda: random.sample(range(20), 20),
        ):
            assert draw() == draw() != sorted(draw())
        ones = torch.ones(8)
        assert torch.equal(torch.nn.functional.dropout(ones), ones)
    assert random.random() != random.random()


@pytest.mark.parametrize('neck', ['one', 'first of two'])
def test_a_narrow_backbone_is_what_its_neck_reads(
    tool: Any, neck: str
) -> None:
    init_default_scope('mmdet')
    config = retinanet()
    if neck == 'first of two':
        config['neck'] = [config['neck'], dict(type='BFP', **BFP)]
    narrow = tool('reduce').narrowed(config)
    assert narrow['backbone']['base_channels'] == 16
    first = narrow['neck'][0] if neck != 'one' else narrow['neck']
    features = MODELS.build(narrow['backbone'])(torch.zeros(1, 3, 64, 64))
    assert [f.shape[1] for f in features] == first['in_channels']
    assert len(MODELS.build(first)(features)) == 5


@pytest.mark.parametrize(
    'change',
    [
        dict(neck=None),
        dict(neck=dict(type='FPN', in_channels=[64, 128, 256, 512])),
        dict(
            backbone=dict(
                type='ResNet', norm_cfg=dict(type='GN', num_groups=32)
            )
        ),
        dict(backbone=dict(type='ResNeXt')),
    ],
)
def test_other_backbones_stay_as_wide_as_they_are(
    tool: Any, change: dict
) -> None:
    config = retinanet() | change
    assert tool('reduce').narrowed(copy.deepcopy(config)) == config


BFP = dict(in_channels=32, num_levels=5, refine_level=1)


def retinanet() -> dict:
    return dict(
        backbone=dict(type='ResNet', depth=50),
        neck=dict(
            type='FPN',
            in_channels=[256, 512, 1024, 2048],
            out_channels=32,
            num_outs=5,
        ),
    )
