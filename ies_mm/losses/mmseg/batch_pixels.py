"""Segmentation losses that select or weight pixels over the batch.

For an image alone, the selection or the weights would differ. Its own loss
therefore comes from calling the loss module on it, corrected where the module
is wrong for a single image. Its share of the batch loss follows from the
selection and the weights of the batch.

================  ====================================================
OhemCrossEntropy  the mean over the least certain pixels of the batch
BoundaryLoss      edge pixels are weighted by the fraction of non-edge
                  pixels in the batch, and vice versa
================  ====================================================
"""

from typing import cast

import torch.nn.functional as F
from torch import Tensor

from ies_mm.losses.capture.calls import LossCall


def hard_pixel_losses(call: LossCall, alone: Tensor) -> Tensor:
    """Losses of an ``OhemCrossEntropy``: zero without a hard pixel.

    If all valid pixels of an image are certain, or only one is valid (common
    near edges), the module selects none and the mean is NaN.

    Args:
        call (LossCall): A call with logits (N, C, H, W), labels (N, H, W).
        alone (Tensor): float32 (N,), the module called on every image.

    Returns:
        Tensor: float32 (N,).
    """
    # Logits that are not finite give NaN as well, which has to remain.
    sound = call.args[0].isfinite().flatten(1).all(dim=1)
    return alone.masked_fill(alone.isnan() & sound, 0)


def hard_pixel_shares(call: LossCall) -> Tensor:
    """Shares of an ``OhemCrossEntropy``.

    Args:
        call (LossCall): A call with logits (N, C, H, W), labels (N, H, W).

    Returns:
        Tensor: float32 (N,).
    """
    logits, labels = call.args
    if call.reduced is None:
        # No pixel is valid, so mmseg returns a constant.
        return logits.new_zeros(len(logits)).float()
    chosen = call.reduced.float()
    valid = labels != call.module.ignore_label
    classes = labels.where(valid, 0).unsqueeze(1)
    # The very values that mmseg sorts, in its order: ties must fall alike.
    certain = logits.detach().softmax(dim=1).gather(1, classes).squeeze(1)
    # mmseg sorts the valid pixels and selects the least certain ones.
    hardest = certain[valid].sort().indices[: len(chosen)]
    images = valid.nonzero()[hardest, 0]
    sums = chosen.new_zeros(len(logits)).index_add(0, images, chosen)
    return sums * cast(float, call.module.loss_weight) / len(chosen)


def balanced_losses(call: LossCall, alone: Tensor) -> Tensor:
    """Losses of a ``BoundaryLoss``: means over an image's own valid pixels.

    The module does not sum over padded pixels, but counts them.

    Args:
        call (LossCall): As in :func:`balanced_shares`.
        alone (Tensor): float32 (N,), the module called on every image.

    Returns:
        Tensor: float32 (N,).
    """
    edges = call.args[1].flatten(1)
    known = ((edges == 0) | (edges == 1)).sum(dim=1)
    return alone * edges.shape[1] / known.clamp(min=1)


def balanced_shares(call: LossCall) -> Tensor:
    """Shares of a ``BoundaryLoss``.

    Args:
        call (LossCall): A call with logits (N, 1, H, W) and edge maps
            (N, H, W): 1 for edge, 0 for no edge, other values for padding.

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
    # mmseg's mean counts padded pixels too.
    return sums * cast(float, call.module.loss_weight) / values.numel()
