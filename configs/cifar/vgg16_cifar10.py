"""VGG-16 on CIFAR-10 with Adam."""

_base_ = [
    '../_base_/vgg16_cifar.py',
    '../_base_/cifar10_bs64.py',
    '../_base_/cifar_run.py',
    '../_base_/adam.py',
]
