"""A small model for every task, and a batch for it."""

from typing import Any

import torch
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope
from mmengine.structures import InstanceData, PixelData
from mmpretrain.structures import DataSample
from mmseg.structures import SegDataSample


def build(config: str) -> Any:
    """A config's model with random weights."""
    cfg = Config.fromfile(f'configs/{config}')
    init_default_scope(cfg.default_scope)
    return MODELS.build(cfg.model).train()


def detector() -> tuple[Any, dict]:
    """The demo's Faster R-CNN, four images with a few boxes each."""
    samples = []
    for count in (1, 2, 4, 6):
        corner = torch.rand(count, 2) * 60
        boxes = torch.cat([corner, corner + 30], dim=1)
        sample = DetDataSample(
            metainfo=dict(
                img_shape=(120, 160),
                pad_shape=(128, 160),
                batch_input_shape=(128, 160),
                scale_factor=(1.0, 1.0),
            )
        )
        sample.gt_instances = InstanceData(
            bboxes=boxes, labels=torch.randint(0, 6, (count,))
        )
        sample.ignored_instances = InstanceData(
            bboxes=torch.zeros(0, 4), labels=torch.zeros(0, dtype=torch.long)
        )
        samples.append(sample)
    model = build('faster_rcnn_r18_demo.py')
    return model, _inputs((4, 3, 128, 160), samples)


def segmentor() -> tuple[Any, dict]:
    """The DeepLabv3 of the CamVid runs, eight images."""
    samples = []
    for _ in range(8):
        sample = SegDataSample(metainfo=dict(img_shape=(144, 192)))
        label = torch.randint(0, 11, (1, 144, 192))
        label[:, -8:] = 255
        sample.gt_sem_seg = PixelData(data=label)
        samples.append(sample)
    model = build('deeplabv3_r18_camvid.py')
    return model, _inputs((8, 3, 144, 192), samples)


def classifier() -> tuple[Any, dict]:
    """The network of the CIFAR-10 runs, 64 images."""
    labels = torch.randint(0, 10, (64,))
    samples = [DataSample().set_gt_label(label) for label in labels]
    model = build('cifar/resnet14_cifar10_10k.py')
    return model, _inputs((64, 3, 32, 32), samples)


def _inputs(shape: tuple[int, ...], samples: list) -> dict:
    return {'inputs': torch.randn(*shape), 'data_samples': samples}


TASKS = {
    'small Faster R-CNN, 4 images of 160x120': detector,
    'small DeepLabv3, 8 images of 192x144': segmentor,
    'small residual network, 64 images of 32x32': classifier,
}
