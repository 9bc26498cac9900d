"""The normalisers of mmdet's query and mask heads.

Source: ``loss_by_feat`` of each head.
"""

from typing import Any

import torch
from torch import Tensor

from ies_mm.losses.mmdet.divisors import Term, rows
from ies_mm.losses.rows.row_calls import RowCalls


def solo(head: Any) -> list[Term]:
    """SOLO, decoupled or not."""
    return [
        Term('loss_mask', rows('loss_mask'), unreduced=True),
        # mmdet adds 1 to the positives.
        Term('loss_cls', rows('loss_mask', more=1)),
    ]


def solov2(head: Any) -> list[Term]:
    """SOLOv2."""

    # Two objects in one cell make two masks but one positive.
    def cells(calls: RowCalls) -> Tensor:
        return calls.positives('loss_cls', head.num_classes)

    return [
        Term('loss_mask', lambda c: cells(c).clamp(min=1), unreduced=True),
        Term('loss_cls', lambda c: cells(c) + 1),
    ]


def condinst_masks(head: Any) -> list[Term]:
    """CondInst's mask head."""
    return [Term('loss_mask', rows('loss_mask'), unreduced=True)]


def detr(head: Any) -> list[Term]:
    """DETR and its successors: a decoder layer or its denoising part."""

    def matched(calls: RowCalls) -> Tensor:
        # Count by box weights: labels may be tokens (Grounding DINO).
        found = calls.weighted_rows('loss_bbox')
        background = head.bg_cls_weight
        if not background:
            return found.clamp(min=1)
        noise = calls.prefix.endswith('dn_')
        # Denoising has a negative per positive; its other rows are padding.
        others = found if noise else calls.rows('loss_bbox') - found
        return (found + others * background).clamp(min=1)

    def boxes(calls: RowCalls) -> Tensor:
        return calls.weighted_rows('loss_bbox').clamp(min=1)

    return [
        Term('loss_cls', matched),
        Term('loss_bbox', boxes),
        Term('loss_iou', boxes),
    ]


def masks(head: Any) -> list[Term]:
    """MaskFormer and Mask2Former: a decoder layer."""

    def weighted(calls: RowCalls) -> Tensor:
        def of_class(labels: Tensor) -> Tensor:
            return labels.new_tensor(head.class_weight, dtype=torch.float32)[
                labels
            ]

        return calls.targets('loss_cls', of_class)

    # A mask counts once per pixel or point compared.
    return [
        Term('loss_cls', weighted),
        Term('loss_mask', rows('loss_mask')),
        Term('loss_dice', rows('loss_dice')),
    ]
