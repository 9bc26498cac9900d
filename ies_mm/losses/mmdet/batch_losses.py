"""Refusal of mmdet's losses that have no value for an image."""

from mmdet.models.losses import GHMC, GHMR
from torch import nn

from ies_mm.errors import UnsupportedModelError


def check_losses(name: str, head: nn.Module) -> None:
    """Refuse losses that weight images by each other.

    Raises:
        UnsupportedModelError: The head has one; names it.
    """
    for child, module in head.named_modules():
        if isinstance(module, GHMC | GHMR):
            raise UnsupportedModelError(
                f'{name}.{child}={type(module).__name__} weights every anchor '
                'by how many in the batch have a similar gradient, so an '
                'image has no loss of its own; use FocalLoss or SmoothL1Loss'
            )
