"""ResNet-50 on CIFAR-10 with Adam."""

_base_ = [
    'mmpretrain::_base_/models/resnet50_cifar.py',
    '../_base_/cifar10_bs64.py',
    '../_base_/cifar_run.py',
    '../_base_/adam.py',
]
