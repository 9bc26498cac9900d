"""Small trainings of a classifier and a segmentor."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mmengine.config import Config

CLASSES = ('ant', 'bee', 'cat')
BATCH = 4


def make_folders(root: Path, images: int, seed: int = 0) -> Path:
    """Noise images in a folder per class, ``images`` in all."""
    generator = np.random.default_rng(seed)
    for number in range(images):
        folder = root / CLASSES[number % len(CLASSES)]
        folder.mkdir(parents=True, exist_ok=True)
        image = generator.integers(0, 256, (16, 16, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / f'{number:03}.png'), image)
    return root


def make_maps(root: Path, images: int, seed: int = 0) -> Path:
    """Noise images with maps of three classes, in VOC2012's layout."""
    generator = np.random.default_rng(seed)
    for folder in ('JPEGImages', 'SegmentationClass'):
        (root / folder).mkdir(parents=True, exist_ok=True)
    names = [f'{number:03}' for number in range(images)]
    (root / 'train.txt').write_text('\n'.join(names))
    for name in names:
        image = generator.integers(0, 256, (48, 64, 3), dtype=np.uint8)
        corner = generator.integers(8, 40, 2)
        label = np.zeros((48, 64), dtype=np.uint8)
        label[: corner[0], : corner[1]] = generator.integers(1, 3)
        label[-4:] = 255
        cv2.imwrite(str(root / 'JPEGImages' / f'{name}.jpg'), image)
        cv2.imwrite(str(root / 'SegmentationClass' / f'{name}.png'), label)
    return root


def classifier_config(folders: Path, work_dir: Path) -> Config:
    """A plain mmpretrain training of two epochs with BatchNorm and flips."""
    dataset = dict(
        type='CustomDataset',
        data_root=str(folders),
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='RandomFlip', prob=0.5),
            dict(type='PackInputs'),
        ],
    )
    model = dict(
        type='ImageClassifier',
        data_preprocessor=dict(
            type='ClsDataPreprocessor', mean=[127.0] * 3, std=[64.0] * 3
        ),
        backbone=dict(
            type='ResNet_CIFAR',
            depth=18,
            num_stages=2,
            strides=(1, 2),
            dilations=(1, 1),
            out_indices=(1,),
            base_channels=8,
            stem_channels=8,
        ),
        neck=dict(type='GlobalAveragePooling'),
        head=dict(
            type='LinearClsHead',
            num_classes=len(CLASSES),
            in_channels=16,
            loss=dict(type='CrossEntropyLoss'),
        ),
    )
    return _run('mmpretrain', work_dir, model, dataset)


def segmentor_config(maps: Path, work_dir: Path) -> Config:
    """A plain mmseg training: DeepLabv3 with dropout and BatchNorm."""
    norm_cfg = dict(type='BN')
    head = dict(
        num_classes=3,
        norm_cfg=norm_cfg,
        loss_decode=dict(type='CrossEntropyLoss'),
    )
    model = dict(
        type='EncoderDecoder',
        data_preprocessor=dict(
            type='SegDataPreProcessor',
            mean=[127.0] * 3,
            std=[64.0] * 3,
            size=(48, 64),
            seg_pad_val=255,
        ),
        backbone=dict(
            type='ResNetV1c',
            depth=18,
            base_channels=8,
            stem_channels=8,
            dilations=(1, 1, 2, 4),
            strides=(1, 2, 1, 1),
            norm_cfg=norm_cfg,
        ),
        decode_head=dict(
            type='ASPPHead',
            in_channels=64,
            in_index=3,
            channels=8,
            dilations=(1, 2),
            dropout_ratio=0.1,
            **head,
        ),
        auxiliary_head=dict(
            type='FCNHead',
            in_channels=32,
            in_index=2,
            channels=8,
            num_convs=1,
            **head,
        ),
    )
    dataset = dict(
        type='BaseSegDataset',
        data_root=str(maps),
        ann_file='train.txt',
        data_prefix=dict(
            img_path='JPEGImages', seg_map_path='SegmentationClass'
        ),
        metainfo=dict(classes=CLASSES, palette=[[0] * 3, [1] * 3, [2] * 3]),
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='LoadAnnotations'),
            dict(type='RandomFlip', prob=0.5),
            dict(type='PackSegInputs'),
        ],
    )
    return _run('mmseg', work_dir, model, dataset)


def in_iterations(config: Config, max_iters: int) -> Config:
    """The same training with an iteration-based loop."""
    config.train_dataloader.sampler = dict(
        type='InfiniteSampler', shuffle=True
    )
    config.train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters)
    config.default_hooks.checkpoint = dict(
        type='CheckpointHook', by_epoch=False, interval=10**6
    )
    config.log_processor = dict(by_epoch=False)
    return config


def with_sampler(config: Config) -> Config:
    """The same training with our sampler; the caller adds the hook."""
    config.train_dataloader.sampler.type = 'IESSampler'
    return config


def with_ies(config: Config, **hook: Any) -> Config:
    """The same training with IES."""
    config.default_hooks.ies = dict(type='IESHook', **hook)
    return with_sampler(config)


def _run(scope: str, work_dir: Path, model: dict, dataset: dict) -> Config:
    return Config(
        dict(
            default_scope=scope,
            work_dir=str(work_dir),
            model=model,
            train_dataloader=dict(
                batch_size=BATCH,
                num_workers=0,
                sampler=dict(type='DefaultSampler', shuffle=True),
                dataset=dataset,
            ),
            train_cfg=dict(type='EpochBasedTrainLoop', max_epochs=2),
            optim_wrapper=dict(
                type='OptimWrapper',
                optimizer=dict(type='SGD', lr=0.1, momentum=0.9),
            ),
            default_hooks=dict(
                logger=dict(type='LoggerHook', interval=1),
                checkpoint=dict(type='CheckpointHook', interval=1),
            ),
            randomness=dict(seed=7, deterministic=True),
            log_level='WARNING',
        )
    )
