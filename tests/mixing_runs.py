"""Small detectors with RTMDet's and YOLOX's image-mixing pipelines."""

from pathlib import Path
from typing import Any

from mmengine.config import Config

from runs import dataset_config, plain_config
from task_runs import with_sampler

SIZE = (64, 64)
LOAD = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True),
]
PAD = dict(type='Pad', size=SIZE, pad_val=dict(img=(114, 114, 114)))
CACHED = [
    *LOAD,
    dict(
        type='CachedMosaic',
        img_scale=SIZE,
        pad_val=114.0,
        max_cached_images=8,
        random_pop=False,
    ),
    dict(
        type='RandomResize',
        scale=(128, 128),
        ratio_range=(0.5, 2.0),
        keep_ratio=True,
    ),
    dict(type='RandomCrop', crop_size=SIZE),
    dict(type='YOLOXHSVRandomAug'),
    dict(type='RandomFlip', prob=0.5),
    PAD,
    dict(
        type='CachedMixUp',
        img_scale=SIZE,
        ratio_range=(1.0, 1.0),
        max_cached_images=6,
        random_pop=False,
        pad_val=(114, 114, 114),
        prob=0.5,
    ),
    dict(type='PackDetInputs'),
]
"""RTMDet's pipeline, at a tenth of its size."""

RESIZED = dict(type='Resize', scale=SIZE, keep_ratio=True)
PLAIN = [*LOAD, RESIZED, PAD, dict(type='PackDetInputs')]
"""Its second stage, without random transforms."""

MOSAIC = [
    dict(type='Mosaic', img_scale=SIZE, pad_val=114.0),
    dict(
        type='RandomAffine', scaling_ratio_range=(0.5, 1.5), border=(-32, -32)
    ),
    dict(type='MixUp', img_scale=SIZE, ratio_range=(0.8, 1.6), pad_val=114.0),
    dict(type='YOLOXHSVRandomAug'),
    dict(type='RandomFlip', prob=0.5),
    RESIZED,
    dict(
        type='Pad', pad_to_square=True, pad_val=dict(img=(114.0, 114.0, 114.0))
    ),
    dict(type='FilterAnnotations', min_gt_bbox_wh=(1, 1), keep_empty=False),
    dict(type='PackDetInputs'),
]
"""YOLOX's pipeline."""

BACKBONE = dict(
    deepen_factor=0.167, widen_factor=0.125, norm_cfg=dict(type='BN')
)
NECK = dict(
    in_channels=[32, 64, 128],
    out_channels=16,
    num_csp_blocks=1,
    norm_cfg=dict(type='BN'),
)
RTMDET = dict(
    type='RTMDet',
    use_syncbn=False,
    data_preprocessor=dict(
        type='DetDataPreprocessor',
        mean=[103.53, 116.28, 123.675],
        std=[57.375, 57.12, 58.395],
        bgr_to_rgb=False,
    ),
    backbone=dict(type='CSPNeXt', arch='P5', expand_ratio=0.5, **BACKBONE),
    neck=dict(type='CSPNeXtPAFPN', expand_ratio=0.5, **NECK),
    bbox_head=dict(
        type='RTMDetSepBNHead',
        num_classes=4,
        in_channels=16,
        feat_channels=16,
        stacked_convs=1,
        anchor_generator=dict(
            type='MlvlPointGenerator', offset=0, strides=[8, 16, 32]
        ),
        bbox_coder=dict(type='DistancePointBBoxCoder'),
        loss_cls=dict(
            type='QualityFocalLoss', use_sigmoid=True, beta=2.0
        ),
        loss_bbox=dict(type='GIoULoss', loss_weight=2.0),
        with_objectness=False,
        exp_on_reg=True,
        share_conv=True,
        pred_kernel_size=1,
        norm_cfg=dict(type='BN'),
    ),
    train_cfg=dict(
        assigner=dict(type='DynamicSoftLabelAssigner', topk=13),
        allowed_border=-1,
        pos_weight=-1,
        debug=False,
    ),
    test_cfg=dict(score_thr=0.05, nms=dict(type='nms', iou_threshold=0.6)),
)  # fmt: skip
YOLOX = dict(
    type='YOLOX',
    data_preprocessor=dict(
        type='DetDataPreprocessor',
        pad_size_divisor=32,
        batch_augments=[
            dict(
                type='BatchSyncRandomResize',
                random_size_range=(32, 96),
                size_divisor=32,
                interval=2,
            )
        ],
    ),
    backbone=dict(type='CSPDarknet', out_indices=(2, 3, 4), **BACKBONE),
    neck=dict(type='YOLOXPAFPN', **NECK),
    bbox_head=dict(
        type='YOLOXHead',
        num_classes=4,
        in_channels=16,
        feat_channels=16,
        stacked_convs=1,
    ),
    train_cfg=dict(assigner=dict(type='SimOTAAssigner', center_radius=2.5)),
    test_cfg=dict(score_thr=0.01, nms=dict(type='nms', iou_threshold=0.65)),
)


def rtmdet(voc: Path, work_dir: Path, epochs: int) -> Config:
    """RTMDet's mixing, from caches in the dataset's pipeline."""
    config = _detector(voc, work_dir, epochs, RTMDET)
    config.train_dataloader.dataset.pipeline = CACHED
    return config


def yolox(voc: Path, work_dir: Path, epochs: int) -> Config:
    """YOLOX's mixing, by a wrapper around the dataset."""
    config = _detector(voc, work_dir, epochs, YOLOX)
    leaf = dataset_config(voc, pipeline=LOAD)
    config.train_dataloader.dataset = dict(
        type='MultiImageMixDataset', dataset=leaf, pipeline=MOSAIC
    )
    return config


def _detector(voc: Path, work_dir: Path, epochs: int, model: Any) -> Config:
    config = plain_config(voc, work_dir, epochs)
    config.model = model
    config.train_dataloader.batch_sampler = None
    return config


def selecting(config: Config) -> Config:
    """With our sampler and full logging; the hook is missing."""
    config.log_level = 'INFO'
    return with_sampler(config)
