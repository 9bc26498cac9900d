"""Trainings that mix images.

Stock detectors at a tenth of their size, and a classifier that mixes batches.
"""

from pathlib import Path
from typing import Any

from mmcv.transforms import BaseTransform
from mmdet.registry import TRANSFORMS
from mmengine.config import Config, ConfigDict
from mmengine.hub import get_config

from runs import dataset_config, plain_config
from task_runs import CLASSES, with_sampler

AUGMENTS = [dict(type='Mixup', alpha=0.8), dict(type='CutMix', alpha=1.0)]
SIZE = (64, 64)
SIZES = ('img_scale', 'scale', 'crop_size', 'size', 'border')
LOAD = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True),
]
LOAD_MASKS = [
    dict(type='MasksOfBoxes'),
    dict(type='LoadImageFromFile'),
    dict(
        type='LoadAnnotations',
        with_bbox=True,
        with_mask=True,
        poly2mask=False,
    ),
]
REST = [
    dict(type='Resize', scale=SIZE, keep_ratio=True),
    dict(type='Pad', size=SIZE, pad_val=dict(img=(114, 114, 114))),
    dict(type='PackDetInputs'),
]

NARROW = dict(
    backbone=dict(deepen_factor=0.167, widen_factor=0.125),
    neck=dict(in_channels=[32, 64, 128], out_channels=16, num_csp_blocks=1),
    bbox_head=dict(
        num_classes=4, in_channels=16, feat_channels=16, stacked_convs=1
    ),
)


@TRANSFORMS.register_module()
class MasksOfBoxes(BaseTransform):
    """Gives every object the mask that fills its box."""

    def transform(self, results: dict) -> dict:
        for instance in results['instances']:
            left, top, right, bottom = instance['bbox']
            corners = [left, top, right, top, right, bottom, left, bottom]
            instance['mask'] = [corners]
        return results


def rtmdet(voc: Path, work_dir: Path, epochs: int) -> Config:
    """Mixes from caches in the dataset's pipeline."""
    stock = get_config('mmdet::rtmdet/rtmdet_tiny_8xb32-300e_coco.py')
    # As in the larger ones; losses of random weights are near 0 without it.
    stock.model.bbox_head.exp_on_reg = True
    return _detector(stock, voc, work_dir, epochs)


def rtmdet_ins(voc: Path, work_dir: Path, epochs: int) -> Config:
    """As :func:`rtmdet`, with masks."""
    stock = get_config('mmdet::rtmdet/rtmdet-ins_tiny_8xb32-300e_coco.py')
    stock.train_pipeline.insert(0, dict(type='MasksOfBoxes'))
    return _detector(stock, voc, work_dir, epochs)


def yolox(voc: Path, work_dir: Path, epochs: int) -> Config:
    """Mixes in a wrapper around the dataset, and resizes whole batches."""
    stock = get_config('mmdet::yolox/yolox_s_8xb8-300e_coco.py')
    (resize,) = stock.model.data_preprocessor.batch_augments
    resize.update(random_size_range=(32, 96), interval=2)
    config = _detector(stock, voc, work_dir, epochs)
    config.optim_wrapper.optimizer.lr = 0.001
    config.train_dataloader.dataset = dict(
        type='MultiImageMixDataset',
        dataset=dataset_config(voc, pipeline=LOAD),
        pipeline=config.train_dataloader.dataset.pipeline,
    )
    return config


PLAIN = {
    rtmdet: [*LOAD, *REST],
    rtmdet_ins: [*LOAD_MASKS, *REST],
    yolox: [*LOAD, *REST],
}
"""Pipelines that neither mix nor draw."""


def _detector(stock: Config, voc: Path, work_dir: Path, epochs: int) -> Config:
    config = plain_config(voc, work_dir, epochs)
    model = _on_cpu(stock.model.to_dict())
    model['backbone']['init_cfg'] = None
    config.model = ConfigDict(model)
    config.merge_from_dict(dict(model=NARROW))
    if config.model.type == 'RTMDet':
        config.model.use_syncbn = False
    config.train_dataloader.batch_sampler = None
    config.train_dataloader.dataset.pipeline = smaller(stock.train_pipeline)
    return config


def _on_cpu(model: Any) -> Any:
    """With BatchNorm instead of SyncBN."""
    if isinstance(model, dict):
        return {key: _on_cpu(part) for key, part in model.items()}
    if isinstance(model, list):
        return [_on_cpu(part) for part in model]
    return 'BN' if model == 'SyncBN' else model


def smaller(pipeline: list) -> list[dict]:
    """The transforms at a tenth of their size."""
    return [
        {
            key: tuple(side // 10 for side in value) if key in SIZES else value
            for key, value in transform.items()
        }
        for transform in pipeline
    ]


def mixed(config: Config, probs: list | None = None) -> Config:
    """Trained like ConvNeXt, Swin and DeiT, with one-hot labels."""
    config.model.train_cfg = dict(augments=AUGMENTS, probs=probs)
    config.model.data_preprocessor.num_classes = len(CLASSES)
    config.model.head.loss = dict(type='CrossEntropyLoss', use_soft=True)
    return config


def selecting(config: Config) -> Config:
    """With our sampler and full logging; the hook is missing."""
    config.log_level = 'INFO'
    return with_sampler(config)
