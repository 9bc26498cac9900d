"""ResNet-101 on ImageNet-1k with SGD(E)."""

_base_ = [
    'mmpretrain::_base_/models/resnet101.py',
    '../_base_/imagenet_bs128.py',
    '../_base_/imagenet_run.py',
    '../_base_/sgd_e.py',
]
