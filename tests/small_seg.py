"""Small segmentors and batches shared by the tests."""

from typing import Any

import torch
from mmengine.config import ConfigDict
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch import Tensor, nn

CLASSES = 4
IGNORED = 255
NORM = dict(type='BN', requires_grad=True)


@MODELS.register_module()
class FirstAgain(nn.Module):
    """A neck that returns the first stage again, as PIDNet's third output."""

    def forward(self, feats: tuple) -> tuple:
        return (*feats, feats[0])


def head_config(loss: Any = None, stage: int = 1, **changes: Any) -> dict:
    """A decode head with 8 channels, by default an FCNHead."""
    head = dict(
        type='FCNHead',
        in_channels=4 * (stage + 1),
        in_index=stage,
        channels=8,
        dropout_ratio=0.0,
        num_classes=CLASSES,
        norm_cfg=NORM,
        align_corners=False,
        loss_decode=loss or dict(type='CrossEntropyLoss'),
    )
    head |= changes
    if head['type'] in ('FCNHead', 'STDCHead'):
        head |= dict(num_convs=1, concat_input=False)
    return head


def segmentor_config(decode: Any, aux: Any = None, **changes: Any) -> dict:
    """An EncoderDecoder on two ResNet-18 stages with 4 and 8 channels."""
    return (
        dict(
            type='EncoderDecoder',
            data_preprocessor=dict(
                type='SegDataPreProcessor',
                mean=[123.675, 116.28, 103.53],
                std=[58.395, 57.12, 57.375],
                bgr_to_rgb=True,
                pad_val=0,
                seg_pad_val=IGNORED,
                size_divisor=16,
            ),
            backbone=dict(
                type='ResNetV1c',
                depth=18,
                stem_channels=4,
                base_channels=4,
                num_stages=2,
                strides=(1, 2),
                dilations=(1, 1),
                out_indices=(0, 1),
                norm_cfg=NORM,
            ),
            decode_head=decode,
            auxiliary_head=aux,
            train_cfg=dict(),
            test_cfg=dict(mode='whole'),
        )
        | changes
    )


def build_segmentor(config: dict, seed: int = 0) -> nn.Module:
    """Build an mmseg model with seeded random weights."""
    init_default_scope('mmseg')
    torch.manual_seed(seed)
    model = MODELS.build(ConfigDict(config))
    # A freshly initialised head predicts the same for every pixel, so a wrong
    # average over pixels would go unnoticed.
    for name, weights in model.named_parameters():
        if 'head' in name and weights.dim() > 1 and weights.requires_grad:
            nn.init.normal_(weights, std=1.0)
    return model


def seg_batch(
    sizes: list[tuple[int, int]],
    ignored: list[float],
    classes: int = CLASSES,
    seed: int = 0,
) -> dict:
    """A raw batch as a data loader yields it.

    Args:
        sizes (list): (height, width) of each image.
        ignored (list): Ignored fraction of each image's pixels.
        classes (int): How many classes the maps show.
    """
    generator = torch.Generator().manual_seed(seed)
    inputs, samples = [], []
    for (height, width), part in zip(sizes, ignored, strict=True):
        shape = (3, height, width)
        inputs.append(
            torch.randint(
                0, 256, shape, generator=generator, dtype=torch.uint8
            )
        )
        # Class frequencies differ between images.
        labels = torch.rand(1, height, width, generator=generator)
        labels = (labels ** (1 + len(samples)) * classes).long()
        drawn = torch.rand(1, height, width, generator=generator)
        sample = SegDataSample(metainfo=dict(img_shape=(height, width)))
        sample.gt_sem_seg = PixelData(
            data=labels.masked_fill(drawn < part, IGNORED)
        )
        # A different region in every image.
        edges = drawn > 0.9 - 0.1 * len(samples)
        sample.gt_edge_map = PixelData(data=edges.long())
        samples.append(sample)
    return dict(inputs=inputs, data_samples=samples)


def labels_of(data: dict) -> Tensor:
    """The label maps of a preprocessed batch, (N, H, W)."""
    maps = [sample.gt_sem_seg.data for sample in data['data_samples']]
    return torch.cat(maps)
