"""ResNet-18 on CIFAR-10 with SGD(F)."""

_base_ = [
    'mmpretrain::_base_/models/resnet18_cifar.py',
    '../_base_/cifar10_bs64.py',
    '../_base_/cifar_run.py',
    '../_base_/sgd_f.py',
]
