"""The program's DenseNet, against mmpretrain's without its stem."""

import torch
from mmpretrain.models.backbones import DenseNet
from torch import Tensor, nn

from ies_mm.networks.densenet_cifar import DenseNet_CIFAR

ARCH = dict(growth_rate=4, depths=[2, 2, 2, 2], init_channels=8)


def test_the_blocks_work_at_32_16_8_and_4_pixels() -> None:
    network = DenseNet_CIFAR(arch=ARCH)
    sides = []
    for stage in network.stages:
        stage.register_forward_pre_hook(
            lambda module, inputs: sides.append(inputs[0].shape[-1])
        )
    network(torch.rand(2, 3, 32, 32))
    assert sides == [32, 16, 8, 4]


def test_only_the_stem_differs() -> None:
    """The same blocks behind a 3x3 convolution, BatchNorm and ReLU."""
    network = DenseNet_CIFAR(arch=ARCH, in_channels=1)
    other = DenseNet(arch=ARCH, in_channels=1)
    other.stages = network.stages
    other.transitions = network.transitions
    conv, norm = network.stem[0], network.stem[1]
    for each in (network, other):
        each.eval()

    def stem(images: Tensor) -> Tensor:
        found = nn.functional.conv2d(images, conv.weight, padding=1)
        return norm(found).relu()

    other.stem.forward = stem
    images = torch.rand(2, 1, 32, 32)
    [found], [expected] = network(images), other(images)
    torch.testing.assert_close(found, expected)
