"""Small classifiers and batches shared by the tests."""

from typing import Any

import torch
from mmengine.config import ConfigDict
from mmengine.registry import init_default_scope
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from torch import Tensor, nn

CLASSES = 5
CHANNELS = 32
SIZE = (24, 24)


class ConvBackbone(nn.Module):
    """Features in the form that a head needs.

    Args:
        form (str): 'vector' (N, 32), 'map' (N, 32, 3, 3) or 'pair', two
            vectors as a Conformer gives.
    """

    def __init__(self, form: str = 'vector') -> None:
        super().__init__()
        self.form = form
        self.conv = nn.Conv2d(3, CHANNELS, 3, stride=8)
        self.bn = nn.BatchNorm2d(CHANNELS)

    def forward(self, inputs: Tensor) -> tuple:
        features = self.bn(self.conv(inputs)).relu()
        if self.form == 'map':
            return (features,)
        vector = features.mean(dim=(2, 3))
        if self.form == 'pair':
            return ([vector, features.amax(dim=(2, 3))],)
        return (vector,)


RESNET = dict(type='ResNet_CIFAR', depth=18, stem_channels=4, base_channels=4)
TRANSFORMER = dict(
    type='VisionTransformer',
    arch=dict(
        embed_dims=CHANNELS,
        num_layers=2,
        num_heads=4,
        feedforward_channels=64,
    ),
    img_size=SIZE[0],
    patch_size=8,
)


def cls_head_config(loss: dict | None = None, **changes: Any) -> dict:
    """A head on 32 channels, a LinearClsHead unless another is given."""
    head = dict(
        type='LinearClsHead', num_classes=CLASSES, in_channels=CHANNELS
    )
    if loss is not None:
        head['loss'] = loss
    return head | changes


def build_classifier(
    head: Any, backbone: str = 'vector', seed: int = 0
) -> nn.Module:
    """Build an mmpretrain classifier with seeded random weights.

    Args:
        head (dict or nn.Module): The head.
        backbone (str): A form of :class:`ConvBackbone`, 'resnet' or
            'transformer'.
        seed (int): Seed of the weights.
    """
    init_default_scope('mmpretrain')
    torch.manual_seed(seed)
    known = dict(resnet=RESNET, transformer=TRANSFORMER)
    pool = dict(type='GlobalAveragePooling')
    model = MODELS.build(
        ConfigDict(
            type='ImageClassifier',
            data_preprocessor=dict(
                type='ClsDataPreprocessor',
                mean=[123.675, 116.28, 103.53],
                std=[58.395, 57.12, 57.375],
                num_classes=CLASSES,
            ),
            backbone=known.get(backbone) or ConvBackbone(backbone),
            neck=pool if backbone == 'resnet' else None,
            head=head,
        )
    )
    # A freshly initialised head predicts the same for every image.
    for weights in model.head.parameters():
        nn.init.normal_(weights)
    return model


def cls_batch(images: int, target: str = 'label', seed: int = 0) -> dict:
    """A raw batch as a data loader yields it.

    Args:
        images (int): Number of images.
        target (str): 'label' for one class an image, 'labels' for several or
            none, 'score' for probabilities, 'number' for a value.
        seed (int): Seed of images and labels.
    """
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randint(
        0, 256, (images, 3, *SIZE), generator=generator, dtype=torch.uint8
    )
    scores = torch.rand(images, CLASSES, generator=generator)
    samples = [DataSample() for _ in range(images)]
    for number, (sample, score) in enumerate(
        zip(samples, scores, strict=True)
    ):
        if target == 'label':
            # Class 0 is more frequent than the others.
            sample.set_gt_label(max(0, number % 7 - 2))
        elif target == 'labels':
            sample.set_gt_label((score > 0.5).nonzero().flatten())
        elif target == 'score':
            sample.set_gt_score(score.softmax(0))
        elif target == 'number':
            sample.set_gt_label(score[:1])
    return dict(inputs=list(inputs), data_samples=samples)
