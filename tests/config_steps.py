"""One training step of any config's model, on small synthetic images."""

import copy
from typing import Any

import torch
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope
from mmengine.structures import PixelData
from mmpretrain.structures import DataSample
from mmseg.structures import SegDataSample
from torch import Tensor, nn

import small

# Smaller images than in the configs, so that a step takes a second.
SIDES = dict(mmpretrain=64, mmseg=65)
CIFAR_SIDE = 32


def build(config: Config) -> nn.Module:
    """The config's model, ready to train, without downloads."""
    torch.manual_seed(0)
    model = skeleton(config)
    model.init_weights()
    return model.train()


def skeleton(config: Config) -> nn.Module:
    """The config's model as the runner builds it, weights uninitialised."""
    init_default_scope(config.default_scope)
    model = without_downloads(config.model)
    if 'data_preprocessor' in config:
        preprocessor = copy.deepcopy(config.data_preprocessor)
        model.setdefault('data_preprocessor', preprocessor)
    if 'size' in model.get('data_preprocessor', {}):
        # Segmentors pad to their crop size, however small the image.
        model.data_preprocessor.size = (SIDES['mmseg'],) * 2
    return MODELS.build(model)


def without_downloads(model: Any) -> Any:
    """The model's config without pretrained weights."""
    model = copy.deepcopy(model)
    for part in (model, model.backbone):
        if (part.get('init_cfg') or {}).get('type') == 'Pretrained':
            part.init_cfg = None
        part.pop('pretrained', None)
    return model


def step(model: nn.Module, config: Config) -> Tensor:
    """The loss of one batch of two images, after its backward pass."""
    data = model.data_preprocessor(raw_batch(config), True)
    loss, _ = model.parse_losses(model(**data, mode='loss'))
    loss.backward()
    return loss.detach()


def raw_batch(config: Config) -> dict:
    """Two images as the config's data loader yields them."""
    if config.default_scope == 'mmdet':
        batch = small.batch([(96, 128), (128, 96)], [2, 1])
        for sample in batch['data_samples']:
            # The smallest model has three classes; 3 would be background.
            sample.gt_instances.labels %= 3
        return batch
    torch.manual_seed(0)
    side = SIDES[config.default_scope]
    if 'CIFAR' in config.train_dataloader.dataset.type:
        side = CIFAR_SIDE
    images = torch.randint(0, 256, (2, 3, side, side), dtype=torch.uint8)
    if config.default_scope == 'mmpretrain':
        samples = [DataSample().set_gt_label(i) for i in range(2)]
        return dict(inputs=images, data_samples=samples)
    return dict(
        inputs=list(images), data_samples=[labelled(side), labelled(side)]
    )


def labelled(side: int) -> SegDataSample:
    """A segmentation map of two classes, with an ignored strip."""
    mask = torch.zeros(1, side, side, dtype=torch.long)
    mask[:, :, side // 2 :] = 1
    mask[:, :4] = 255
    meta = dict(img_shape=(side, side), ori_shape=(side, side))
    return SegDataSample(metainfo=meta, gt_sem_seg=PixelData(data=mask))
