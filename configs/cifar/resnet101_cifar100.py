"""ResNet-101 on CIFAR-100 with Adam."""

_base_ = [
    'mmpretrain::_base_/models/resnet101_cifar.py',
    '../_base_/cifar100_bs64.py',
    '../_base_/cifar_run.py',
    '../_base_/adam.py',
]

model = dict(head=dict(num_classes=100))
