"""Loss modules of mmdet that are known to sum up a loss per row."""

from mmdet.models import losses as mmdet_losses
from torch import nn

ROW_LOSSES = frozenset(
    getattr(mmdet_losses, name)
    for name in (
        'BalancedL1Loss',
        'BoundedIoULoss',
        'CIoULoss',
        'CrossEntropyLoss',
        'DIoULoss',
        'DiceLoss',
        'DistributionFocalLoss',
        'EIoULoss',
        'FocalLoss',
        'GaussianFocalLoss',
        'GIoULoss',
        'IoULoss',
        'L1Loss',
        'MSELoss',
        'QualityFocalLoss',
        'SIoULoss',
        'SmoothL1Loss',
        'VarifocalLoss',
    )
    if hasattr(mmdet_losses, name)
)
"""Losses that sum a tensor up whose first axis is that of the predictions."""


def known_losses(head: nn.Module) -> bool:
    """Whether all loss modules of a head are among them."""
    modules = (m for n, m in head.named_children() if 'loss' in n.split('_'))
    return all(type(module) in ROW_LOSSES for module in modules)
