"""Configs that import their bases and classes (``read_base``)."""

from pathlib import Path

import pytest
from mmengine.config import Config

from commands import TRAIN, call
from ies_mm.configuring.preflight import check_config
from ies_mm.errors import ConfigError
from ies_mm.report.reading.runs import read_run
from runs import epochs_of

BASE = """
from mmcv.transforms import LoadImageFromFile, RandomFlip
from mmengine.dataset import DefaultSampler
from mmengine.hooks import CheckpointHook, LoggerHook
from mmengine.optim import OptimWrapper
from mmengine.runner import EpochBasedTrainLoop
from mmpretrain.datasets import CustomDataset, PackInputs
from mmpretrain.models import (
    ClsDataPreprocessor, CrossEntropyLoss, GlobalAveragePooling,
    ImageClassifier, LinearClsHead, ResNet_CIFAR,
)
from torch.optim import SGD

default_scope = 'mmpretrain'
model = dict(
    type=ImageClassifier,
    data_preprocessor=dict(
        type=ClsDataPreprocessor, mean=[127.0] * 3, std=[64.0] * 3
    ),
    backbone=dict(
        type=ResNet_CIFAR, depth=18, stem_channels=4, base_channels=4
    ),
    neck=dict(type=GlobalAveragePooling),
    head=dict(
        type=LinearClsHead, num_classes=3, in_channels=32,
        loss=dict(type=CrossEntropyLoss),
    ),
)
pipeline = [
    dict(type=LoadImageFromFile),
    dict(type=RandomFlip, prob=0.5),
    dict(type=PackInputs),
]
train_dataloader = dict(
    batch_size=4,
    num_workers=0,
    sampler=dict(type=DefaultSampler, shuffle=True),
    dataset=dict(type=CustomDataset, data_root={root!r}, pipeline=pipeline),
)
train_cfg = dict(type=EpochBasedTrainLoop, max_epochs=3)
optim_wrapper = dict(type=OptimWrapper, optimizer=dict(type=SGD, lr=0.1))
default_hooks = dict(
    logger=dict(type=LoggerHook, interval=1),
    checkpoint=dict(type=CheckpointHook, interval=1),
)
"""

CHILD = """
from mmengine.config import read_base

with read_base():
    from .base import *
{imports}
default_hooks.update(ies=dict(type={hook}, delta=1e9, order=0, window=1))
train_dataloader.merge(dict(sampler=dict(type={sampler})))
{more}
"""

IMPORTS = 'from ies_mm.engine import IESHook, IESSampler'
NAMES = 'custom_imports = dict(imports=["ies_mm.engine"])'
STYLES = {
    'classes': (IMPORTS, 'IESHook', 'IESSampler'),
    'names': (NAMES, '"IESHook"', '"IESSampler"'),
}


def written(folders: Path, folder: Path, style: str, more: str = '') -> Path:
    (folder / 'base.py').write_text(
        BASE.replace('{root!r}', repr(str(folders)))
    )
    imports, hook, sampler = STYLES[style]
    child = folder / 'child.py'
    child.write_text(
        CHILD.format(imports=imports, hook=hook, sampler=sampler, more=more)
    )
    return child


@pytest.mark.parametrize('style', STYLES)
def test_the_recipe_works_there_too(
    folders: Path, tmp_path: Path, style: str
) -> None:
    path = written(folders, tmp_path, style)
    result = call(TRAIN, path, '--work-dir', tmp_path / 'run')
    assert result.returncode == 0, result.stderr[-2000:]
    records = epochs_of(tmp_path / 'run')
    assert [record['mastered'] for record in records] == [0, 20]
    run = read_run(tmp_path / 'run')
    assert (run.method, run.selected) == ('IES', True)


MOSAIC = """
from mmdet.datasets.transforms import CachedMosaic
pipeline.insert(1, dict(type=CachedMosaic, img_scale=(16, 16)))
train_dataloader.dataset.update(pipeline=pipeline)
default_hooks.ies = dict(type='InfoBatchHook')
"""
PLAIN_SAMPLER = 'train_dataloader.sampler.update(type=DefaultSampler)'


@pytest.mark.parametrize('style', STYLES)
@pytest.mark.parametrize(
    ('more', 'message'),
    [
        (MOSAIC, 'train_dataloader.dataset.pipeline[1] (CachedMosaic) mixes'),
        (
            PLAIN_SAMPLER,
            "found train_dataloader.sampler.type='DefaultSampler'",
        ),
        ('default_hooks.ies.delta = -1', 'default_hooks.ies: delta=-1'),
        ('default_hooks.pop("ies")', 'needs a selection hook, found none'),
        (
            'train_dataloader.dataset.data_root = "/nowhere"',
            'looked for /nowhere, which is not there',
        ),
    ],
)
def test_the_checks_read_both_styles(
    folders: Path, tmp_path: Path, style: str, more: str, message: str
) -> None:
    config = Config.fromfile(written(folders, tmp_path, style, more))
    with pytest.raises(ConfigError) as error:
        check_config(config)
    assert message in str(error.value)


@pytest.mark.parametrize('how', ['merge', 'update'])
def test_a_sampler_of_the_base_that_is_replaced(
    folders: Path, tmp_path: Path, how: str
) -> None:
    path = written(folders, tmp_path, 'classes')
    text = path.read_text().replace('loader.merge', f'loader.{how}')
    path.write_text(text)
    check_config(Config.fromfile(path))  # DefaultSampler: the same order
    base = tmp_path / 'base.py'
    base.write_text(base.read_text().replace('Default', 'RepeatAug'))
    base.write_text(
        base.read_text()
        .replace('from mmengine.dataset import RepeatAugSampler', '')
        .replace('PackInputs\n', 'PackInputs, RepeatAugSampler\n')
    )
    further = tmp_path / 'further.py'
    further.write_text(
        'from mmengine.config import read_base\n'
        'with read_base():\n    from .child import *\n'
    )
    for config in (path, further):
        with pytest.raises(ConfigError, match='the RepeatAugSampler of '):
            check_config(Config.fromfile(config))
