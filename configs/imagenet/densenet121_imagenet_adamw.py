"""DenseNet-121 on ImageNet-1k with AdamW."""

_base_ = [
    'mmpretrain::_base_/models/densenet/densenet121.py',
    '../_base_/imagenet_bs128.py',
    '../_base_/imagenet_run.py',
    '../_base_/adamw.py',
]
