"""DenseNet-121 with a 3x3 stem on CIFAR-100 with Adam."""

_base_ = [
    'mmpretrain::_base_/models/densenet/densenet121.py',
    '../_base_/cifar100_bs64.py',
    '../_base_/cifar_run.py',
    '../_base_/adam.py',
]

custom_imports = dict(
    imports=['ies_mm.networks.densenet_cifar'], allow_failed_imports=False
)
model = dict(backbone=dict(type='DenseNet_CIFAR'), head=dict(num_classes=100))
