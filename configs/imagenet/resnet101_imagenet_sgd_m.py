"""ResNet-101 on ImageNet-1k with SGD(M)."""

_base_ = [
    'mmpretrain::_base_/models/resnet101.py',
    '../_base_/imagenet_bs128.py',
    '../_base_/imagenet_run.py',
    '../_base_/sgd_m.py',
]
