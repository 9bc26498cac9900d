"""The paper's classifier trainings, transcribed from its text.

Section 4.1, tables 1 and 2, appendices A and E.
"""

from typing import NamedTuple


class Data(NamedTuple):
    """What the paper says about a dataset."""

    type: str
    classes: int
    side: int
    epochs: int
    batch: int
    delta: float
    anneal: float


CIFAR10 = Data('CIFAR10', 10, 32, 200, 64, 1e-3, 0.0)
# The authors' program doubles delta, since log(classes) doubles.
CIFAR100 = Data('CIFAR100', 100, 32, 200, 64, 2e-3, 0.0)
IMAGENET = Data('ImageNet', 1000, 224, 150, 128, 1.0, 0.1)


class Row(NamedTuple):
    """One training of tables 1 and 2."""

    data: Data
    optimiser: str
    backbone: dict
    # Known sizes: torchvision's, or those of its usual 32x32 variants.
    millions: float
    # "We do not incorporate dropout", but the program's VGG-16 has it.
    dropout: bool = False


RESNET18 = dict(type='ResNet_CIFAR', depth=18)
RESNET34 = dict(type='ResNet_CIFAR', depth=34)
RESNET50 = dict(type='ResNet_CIFAR', depth=50)
RESNET101 = dict(type='ResNet_CIFAR', depth=101)
VGG16 = dict(type='VGG', depth=16)
DENSENET121 = dict(type='DenseNet', arch='121')
DENSENET121_CIFAR = dict(type='DenseNet_CIFAR', arch='121')
BIG_RESNET34 = dict(type='ResNet', depth=34)
BIG_RESNET101 = dict(type='ResNet', depth=101)
PAPER = {
    'cifar/resnet18_cifar10': Row(CIFAR10, 'Adam', RESNET18, 11.17),
    'cifar/resnet18_cifar10_adamw': Row(CIFAR10, 'AdamW', RESNET18, 11.17),
    'cifar/resnet18_cifar10_sgd_f': Row(CIFAR10, 'SGD(F)', RESNET18, 11.17),
    'cifar/resnet18_cifar10_sgd_l': Row(CIFAR10, 'SGD(L)', RESNET18, 11.17),
    'cifar/resnet18_cifar10_sgd_m': Row(CIFAR10, 'SGD(M)', RESNET18, 11.17),
    'cifar/resnet18_cifar10_sgd_e': Row(CIFAR10, 'SGD(E)', RESNET18, 11.17),
    'cifar/resnet50_cifar10': Row(CIFAR10, 'Adam', RESNET50, 23.52),
    'cifar/vgg16_cifar10': Row(CIFAR10, 'Adam', VGG16, 14.73),
    'cifar/vgg16_cifar10_program': Row(
        CIFAR10, 'Adam', VGG16, 33.65, dropout=True
    ),
    'cifar/resnet18_cifar10_appendix_a': Row(CIFAR10, 'Adam', RESNET18, 11.17),
    'cifar/resnet34_cifar100': Row(CIFAR100, 'Adam', RESNET34, 21.33),
    'cifar/resnet34_cifar100_adamw': Row(CIFAR100, 'AdamW', RESNET34, 21.33),
    'cifar/resnet34_cifar100_sgd_f': Row(CIFAR100, 'SGD(F)', RESNET34, 21.33),
    'cifar/resnet34_cifar100_sgd_l': Row(CIFAR100, 'SGD(L)', RESNET34, 21.33),
    'cifar/resnet34_cifar100_sgd_m': Row(CIFAR100, 'SGD(M)', RESNET34, 21.33),
    'cifar/resnet34_cifar100_sgd_e': Row(CIFAR100, 'SGD(E)', RESNET34, 21.33),
    'cifar/resnet101_cifar100': Row(CIFAR100, 'Adam', RESNET101, 42.70),
    'cifar/densenet121_cifar100': Row(
        CIFAR100, 'Adam', DENSENET121_CIFAR, 7.05
    ),
    'imagenet/densenet121_imagenet_adamw': Row(
        IMAGENET, 'AdamW', DENSENET121, 7.98
    ),
    'imagenet/resnet34_imagenet_adamw': Row(
        IMAGENET, 'AdamW', BIG_RESNET34, 21.80
    ),
    'imagenet/resnet101_imagenet_adamw': Row(
        IMAGENET, 'AdamW', BIG_RESNET101, 44.55
    ),
    'imagenet/resnet101_imagenet_sgd_m': Row(
        IMAGENET, 'SGD(M)', BIG_RESNET101, 44.55
    ),
    'imagenet/resnet101_imagenet_sgd_e': Row(
        IMAGENET, 'SGD(E)', BIG_RESNET101, 44.55
    ),
}
