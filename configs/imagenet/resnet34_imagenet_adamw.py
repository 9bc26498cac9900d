"""ResNet-34 on ImageNet-1k with AdamW."""

_base_ = [
    'mmpretrain::_base_/models/resnet34.py',
    '../_base_/imagenet_bs128.py',
    '../_base_/imagenet_run.py',
    '../_base_/adamw.py',
]
