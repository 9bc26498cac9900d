"""Loss modules of mmdet that are known to sum one loss per row."""

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
"""Losses that sum a tensor with the predictions' first axis."""


def known_losses(head: nn.Module) -> bool:
    """Whether all loss modules of a head are in :data:`ROW_LOSSES`."""
    modules = (m for n, m in head.named_children() if 'loss' in n.split('_'))
    # These very classes only: a subclass may reduce differently.
    return all(type(module) in ROW_LOSSES for module in modules)
