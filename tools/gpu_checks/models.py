"""Shipped models of every kind, with a batch of random images for each."""

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from coverage_checks.listed import config_root
from mmengine.config import Config
from mmengine.logging import MessageHub
from mmengine.registry import MODELS, init_default_scope


@dataclass(frozen=True)
class Shipped:
    """A config that a library ships.

    Attributes:
        library (str): 'mmdet', 'mmseg' or 'mmpretrain'.
        config (str): Its path in the library's config folder.
        size (int): Height and width of the images.
    """

    library: str
    config: str
    size: int


SHIPPED = {
    'Faster R-CNN R-50-FPN': Shipped(
        'mmdet', 'faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py', 640
    ),
    'RetinaNet R-50-FPN': Shipped(
        'mmdet', 'retinanet/retinanet_r50_fpn_1x_coco.py', 640
    ),
    'FCOS R-50': Shipped(
        'mmdet', 'fcos/fcos_r50-caffe_fpn_gn-head_1x_coco.py', 640
    ),
    'ATSS R-50': Shipped('mmdet', 'atss/atss_r50_fpn_1x_coco.py', 640),
    'YOLOX-tiny': Shipped('mmdet', 'yolox/yolox_tiny_8xb8-300e_coco.py', 416),
    'RTMDet-tiny': Shipped(
        'mmdet', 'rtmdet/rtmdet_tiny_8xb32-300e_coco.py', 640
    ),
    'DETR R-50': Shipped('mmdet', 'detr/detr_r50_8xb2-150e_coco.py', 640),
    'Mask R-CNN R-50-FPN': Shipped(
        'mmdet', 'mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py', 640
    ),
    'DeepLabv3 R-50': Shipped(
        'mmseg', 'deeplabv3/deeplabv3_r50-d8_4xb4-20k_voc12aug-512x512.py', 512
    ),
    'SegFormer-B0': Shipped(
        'mmseg', 'segformer/segformer_mit-b0_8xb2-160k_ade20k-512x512.py', 512
    ),
    'ResNet-18 (CIFAR)': Shipped(
        'mmpretrain', 'resnet/resnet18_8xb16_cifar10.py', 32
    ),
    'ViT-B/16': Shipped(
        'mmpretrain',
        'vision_transformer/vit-base-p16_32xb128-mae_in1k.py',
        224,
    ),
    'DINO R-50': Shipped(
        'mmdet', 'dino/dino-4scale_r50_8xb2-12e_coco.py', 640
    ),
}
"""The models that *costs* measures, in this order."""


def build(shipped: Shipped) -> Any:
    """The model with random weights, in training mode."""
    cfg = Config.fromfile(config_root(shipped.library) / shipped.config)
    model = _without_weights(cfg.model)
    if shipped.library == 'mmpretrain':
        model.pop('train_cfg', None)
    init_default_scope(shipped.library)
    _import_all(shipped.library)
    hub = MessageHub.get_current_instance()
    for name in ('iter', 'epoch'):
        hub.update_info(name, 0)
    built = MODELS.build(model)
    # Some layers are uninitialized before.
    built.init_weights()
    return built.train()


def batch(shipped: Shipped, images: int, size: int) -> dict[str, Any]:
    """A batch as a data loader yields it."""
    inputs = [
        torch.randint(0, 256, (3, size, size), dtype=torch.uint8)
        for _ in range(images)
    ]
    boxes = _masks if 'mask' in shipped.config else _boxes
    sample = {'mmdet': boxes, 'mmseg': _labels, 'mmpretrain': _label}
    made = [sample[shipped.library](size) for _ in range(images)]
    return {'inputs': inputs, 'data_samples': made}


def _without_weights(cfg: Any) -> Any:
    cfg = copy.deepcopy(cfg)
    stack = [cfg]
    while stack:
        part = stack.pop()
        if isinstance(part, dict):
            for key in {'init_cfg', 'pretrained'} & set(part):
                part[key] = None
            if part.get('type') == 'SyncBN':
                part['type'] = 'BN'
            stack += part.values()
        elif isinstance(part, list | tuple):
            stack += part
    return cfg


def _import_all(library: str) -> None:
    module = __import__(f'{library}.utils', fromlist=['register_all_modules'])
    module.register_all_modules(init_default_scope=True)


def _boxes(size: int) -> Any:
    from mmdet.structures import DetDataSample
    from mmengine.structures import InstanceData

    count = int(torch.randint(1, 12, ()))
    corner = torch.rand(count, 2) * size * 0.6
    boxes = torch.cat([corner, corner + size * (0.1 + 0.3 * torch.rand(1))], 1)
    sample = DetDataSample(
        metainfo=dict(
            img_shape=(size, size),
            ori_shape=(size, size),
            pad_shape=(size, size),
            batch_input_shape=(size, size),
            scale_factor=(1.0, 1.0),
        )
    )
    sample.gt_instances = InstanceData(
        bboxes=boxes,
        labels=torch.randint(0, 80, (count,)),
    )
    sample.ignored_instances = InstanceData(
        bboxes=torch.zeros(0, 4), labels=torch.zeros(0, dtype=torch.long)
    )
    return sample


def _masks(size: int) -> Any:
    """Boxes with filled masks."""
    from mmdet.structures.mask import BitmapMasks

    sample = _boxes(size)
    boxes = sample.gt_instances.bboxes
    masks = np.zeros((len(boxes), size, size), dtype=np.uint8)
    for mask, (left, top, right, bottom) in zip(
        masks, boxes.int().tolist(), strict=True
    ):
        mask[top:bottom, left:right] = 1
    sample.gt_instances.masks = BitmapMasks(masks, size, size)
    return sample


def _labels(size: int) -> Any:
    from mmengine.structures import PixelData
    from mmseg.structures import SegDataSample

    shape = dict.fromkeys(
        ('img_shape', 'ori_shape', 'pad_shape'), (size, size)
    )
    sample = SegDataSample(metainfo=shape)
    label = torch.randint(0, 21, (1, size, size))
    label[:, : size // 8] = 255
    sample.gt_sem_seg = PixelData(data=label)
    return sample


def _label(size: int) -> Any:
    from mmpretrain.structures import DataSample

    return DataSample().set_gt_label(torch.randint(0, 10, (1,)))
