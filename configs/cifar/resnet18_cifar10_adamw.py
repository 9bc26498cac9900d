"""ResNet-18 on CIFAR-10 with AdamW."""

_base_ = [
    'mmpretrain::_base_/models/resnet18_cifar.py',
    '../_base_/cifar10_bs64.py',
    '../_base_/cifar_run.py',
    '../_base_/adamw.py',
]
