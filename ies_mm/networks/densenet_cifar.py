"""DenseNet for 32x32 images, as in the authors' program.

Importing it needs mmpretrain and registers the backbone, so configs import it
by ``custom_imports``.
"""

from typing import Any

from mmpretrain.models.backbones import DenseNet
from mmpretrain.registry import MODELS
from torch import nn


@MODELS.register_module()
class DenseNet_CIFAR(DenseNet):  # noqa: N801  named like ResNet_CIFAR
    """DenseNet with a 3x3 stem of stride 1 and without max pooling.

    mmpretrain's stem, made for 224 pixels, would bring 32x32 down to 8x8
    before the first block; here the blocks work at 32, 16, 8 and 4 pixels.

    Args:
        in_channels (int): Channels of an image. Defaults to 3.
        **arguments: Of :class:`mmpretrain.models.DenseNet`.
    """

    stem: nn.Sequential

    def __init__(self, in_channels: int = 3, **arguments: Any) -> None:
        super().__init__(in_channels=in_channels, **arguments)
        _, norm, activation, _ = self.stem
        conv = nn.Conv2d(
            in_channels,
            self.init_channels,
            kernel_size=3,
            stride=1,
            padding=1,
            bias=False,
        )
        self.stem = nn.Sequential(conv, norm, activation)
