"""Shares of segmentation losses that choose or weigh pixels over a batch.

An image alone would have other pixels chosen, or weighed otherwise, so its
own loss is asked of the loss module, and mended where the module is wrong
about one image. Its share of the batch loss is that of the choice and the
weights of the batch.

================  ====================================================
OhemCrossEntropy  the least certain pixels of the batch, averaged
BoundaryLoss      pixels on an edge weigh what part of the batch's pixels
                  is on none, and the other way round
================  ====================================================
"""

from typing import cast

import torch.nn.functional as F
from torch import Tensor

from ies_mm.losses.capture.calls import LossCall


def hard_pixel_losses(call: LossCall, alone: Tensor) -> Tensor:
    """Losses of an ``OhemCrossEntropy``: zero without a hard pixel.

    An image whose valid pixels are all certain (or one, which is easily the
    case near edges) has none chosen, and the module averages nothing to NaN.

    Args:
        call (LossCall): Of logits (N, C, H, W) and labels (N, H, W).
        alone (Tensor): float32 (N,), of the module asked for every image.

    Returns:
        Tensor: float32 (N,).
    """
    sound = call.args[0].isfinite().flatten(1).all(dim=1)
    return alone.masked_fill(alone.isnan() & sound, 0)


def hard_pixel_shares(call: LossCall) -> Tensor:
    """Shares of an ``OhemCrossEntropy``.

    Args:
        call (LossCall): Of logits (N, C, H, W) and labels (N, H, W).

    Returns:
        Tensor: float32 (N,).
    """
    logits, labels = call.args
    if call.reduced is None:
        # No pixel is valid, and mmseg returns a constant.
        return logits.new_zeros(len(logits)).float()
    chosen = call.reduced.float()
    valid = labels != call.module.ignore_label
    classes = labels.where(valid, 0).unsqueeze(1)
    certain = logits.detach().softmax(dim=1).gather(1, classes).squeeze(1)
    # mmseg sorts the valid pixels, and chooses from the least certain on.
    hardest = certain[valid].sort().indices[: len(chosen)]
    images = valid.nonzero()[hardest, 0]
    sums = chosen.new_zeros(len(logits)).index_add(0, images, chosen)
    return sums * cast(float, call.module.loss_weight) / len(chosen)


def balanced_losses(call: LossCall, alone: Tensor) -> Tensor:
    """Losses of a ``BoundaryLoss``: means over an image's own valid pixels.

    The module adds up nothing for padded pixels, but counts them.

    Args:
        call (LossCall): As of :func:`balanced_shares`.
        alone (Tensor): float32 (N,), of the module asked for every image.

    Returns:
        Tensor: float32 (N,).
    """
    edges = call.args[1].flatten(1)
    known = ((edges == 0) | (edges == 1)).sum(dim=1)
    return alone * edges.shape[1] / known.clamp(min=1)


def balanced_shares(call: LossCall) -> Tensor:
    """Shares of a ``BoundaryLoss``.

    Args:
        call (LossCall): Of logits (N, 1, H, W) and edge maps (N, H, W), 1 on
            an edge, 0 on none, others where padded.

    Returns:
        Tensor: float32 (N,).
    """
    logits, edges = call.args
    logits, targets = logits.flatten(1), edges.flatten(1).float()
    edge, plain = targets == 1, targets == 0
    part = edge.sum() / (edge.sum() + plain.sum())
    weights = edge * (1 - part) + plain * part
    values = F.binary_cross_entropy_with_logits(
        logits, targets, weights, reduction='none'
    )
    sums = values.float().sum(dim=1)
    return sums * cast(float, call.module.loss_weight) / values.numel()
