"""ResNet-34 on CIFAR-100 with SGD(F)."""

_base_ = [
    'mmpretrain::_base_/models/resnet34_cifar.py',
    '../_base_/cifar100_bs64.py',
    '../_base_/cifar_run.py',
    '../_base_/sgd_f.py',
]

model = dict(head=dict(num_classes=100))
