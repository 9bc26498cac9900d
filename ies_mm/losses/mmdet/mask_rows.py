"""Per-image losses of mmdet's mask heads, by rows.

``loss_mask`` is the mean over positive RoIs of the binary cross-entropy of
the mask of the RoI's class. The module returns only that mean, so the loss of
each mask is evaluated once more, for the whole batch. The loss of an image
alone is divided by its positive RoIs; without any it is 0.

Source: mmdet's ``FCNMaskHead`` and ``mask_cross_entropy``.
"""

from typing import Any

import torch
from mmdet.models.losses import CrossEntropyLoss
from mmdet.models.roi_heads.mask_heads import FCNMaskHead
from torch import Tensor, nn
from torch.nn import functional

from ies_mm.losses.capture.calls import LossCall
from ies_mm.losses.capture.registry import inherits
from ies_mm.losses.rows.rows import Calls
from ies_mm.losses.tracing.origin import in_order

TERM = 'loss_mask'


def has_mask_rows(mask_head: nn.Module) -> bool:
    """Whether a mask head inherits the losses of ``FCNMaskHead``."""
    if not inherits(
        type(mask_head), FCNMaskHead, ('loss_and_target', 'get_targets')
    ):
        return False
    loss: Any = mask_head.loss_mask
    return (
        type(loss) is CrossEntropyLoss
        and loss.use_mask
        and not loss.use_sigmoid
        and loss.class_weight is None
    )


def mask_term(
    term: str, calls: Calls, samples: list, shares: bool
) -> tuple[Tensor, Tensor | None]:
    """Losses and shares of ``loss_mask``.

    Args:
        term (str): ``'loss_mask'``.
        calls (dict): The recorded calls of the head's loss modules.
        samples (list): mmdet's SamplingResult of every image; positive RoIs
            are ordered by image.
        shares (bool): Whether to compute the shares.

    Returns:
        tuple: losses, float32 (N,) without gradient, and shares, (N,) with
        gradient, or None.
    """
    lengths = [len(sample.pos_priors) for sample in samples]
    if not calls[term]:
        # No positive RoI in the whole batch: mmdet skips the call.
        zeros = torch.zeros(len(samples), device=samples[0].priors.device)
        return zeros, zeros if shares else None
    with torch.set_grad_enabled(shares and torch.is_grad_enabled()):
        rows = _rows(calls[term][0])
        sums = in_order(lengths).sums(rows)
    own = torch.tensor([max(length, 1) for length in lengths]).to(sums)
    # mmdet's mean is over the positive RoIs of the whole batch.
    return sums.detach() / own, sums / len(rows) if shares else None


def _rows(call: LossCall) -> Tensor:
    """The loss of every positive RoI, float32 (R,)."""
    masks, targets, labels = call.args
    rois = torch.arange(len(masks), device=masks.device)
    losses = functional.binary_cross_entropy_with_logits(
        masks[rois, labels].float(), targets.float(), reduction='none'
    )
    loss_weight: Any = call.module.loss_weight
    return losses.flatten(1).mean(1) * loss_weight
