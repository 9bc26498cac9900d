"""Batches for Faster R-CNN, and its losses on them."""

import copy
from typing import Any

import torch
from torch import Tensor, nn

from small import batch

SIZES = [(96, 128), (128, 96), (64, 80), (100, 101)]
BOXES = [1, 3, 2, 6]
TERMS = ['loss_rpn_cls', 'loss_rpn_bbox', 'loss_cls', 'loss_bbox']
ALL = dict(
    type='RandomSampler',
    num=10**6,
    pos_fraction=1.0,
    neg_pos_ub=-1,
    add_gt_as_proposals=True,
)
"""Takes everything, so that nothing is random."""


def total(loss: Any) -> Tensor:
    """The sum of a loss value: one tensor, or one per level."""
    return sum(loss) if isinstance(loss, list) else loss


def data_of(model: nn.Module, sizes: list, boxes: list) -> dict:
    return model.data_preprocessor(batch(sizes, boxes), True)


def run(model: nn.Module, data: dict, seed: int | None = 0) -> dict:
    if seed is not None:
        torch.manual_seed(seed)
    return model(**copy.deepcopy(data), mode='loss')
