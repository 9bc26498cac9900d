"""Splits a segmentation loss of a batch by image.

mmseg's losses average over the pixels of the whole batch, some including
ignored and padded ones. An image's own loss is the mean over its own valid
pixels, so it does not depend on how much of it is ignored or padded. (Which
pixels are valid depends on the loss: DiceLoss counts ignored pixels as
background, STDCHead's edge maps ignore none.)

==========================  =====================  ==========================
loss                        count of a pixel       divisor of the batch
==========================  =====================  ==========================
CrossEntropyLoss            1, or its class's      all pixels; valid pixels
                            weight                 with ``avg_non_ignore``;
                                                   class weights
CrossEntropyLoss, sigmoid   its channels           all or valid elements
FocalLoss                   its channels           all elements
Dice, Lovasz, Tversky,      (one value per image)  images
SiLog, Huasdorff
OhemCrossEntropy            (see                   selected pixels
BoundaryLoss                ``batch_pixels``)      all pixels
==========================  =====================  ==========================

With ``reduction='sum'`` nothing is divided. Pixels that an OHEM sampler drops
add nothing but are counted, as in mmseg. Source: ``mmseg.models.losses``.
"""

from dataclasses import dataclass
from typing import Any, cast

import torch
from mmseg.models.losses import (
    BoundaryLoss,
    CrossEntropyLoss,
    DiceLoss,
    FocalLoss,
    HuasdorffDisstanceLoss,
    LovaszLoss,
    OhemCrossEntropy,
    SiLogLoss,
    TverskyLoss,
)
from torch import Tensor, nn

from ies_mm.errors import UnsupportedModelError
from ies_mm.losses.capture.calls import LossCall
from ies_mm.losses.capture.registry import inherits
from ies_mm.losses.mmseg.batch_pixels import (
    balanced_losses,
    balanced_shares,
    hard_pixel_losses,
    hard_pixel_shares,
)

_PIXELS = (CrossEntropyLoss, FocalLoss)
_PER_IMAGE = (
    DiceLoss,
    HuasdorffDisstanceLoss,
    LovaszLoss,
    SiLogLoss,
    TverskyLoss,
)
_OF_BATCH = {
    BoundaryLoss: (balanced_losses, balanced_shares),
    OhemCrossEntropy: (hard_pixel_losses, hard_pixel_shares),
}


@dataclass(frozen=True)
class Parts:
    """A batch loss split by image.

    Attributes:
        losses (Tensor): float32 (N,), the loss of each image alone.
        shares (Tensor, optional): float32 (N,), adding up to the batch loss.
        void (Tensor): bool (N,), True where an image has no valid pixel.
    """

    losses: Tensor
    shares: Tensor | None
    void: Tensor


def split(call: LossCall, shares: bool) -> Parts:
    """Split a loss call by image.

    Args:
        call (LossCall): Call of a module that :func:`check_loss` accepts.
        shares (bool): Whether to compute the shares.
    """
    if isinstance(call.module, _PIXELS):
        return _split_pixels(call)
    for kind, (losses_of, shares_of) in _OF_BATCH.items():
        if isinstance(call.module, kind):
            with torch.no_grad():
                losses = losses_of(call, _images_alone(call))
            own = shares_of(call) if shares else None
            return Parts(losses, own, ~_valid(call).any(dim=1))
    return _split_images(call)


def added(
    parts: list[Parts], shares: bool
) -> tuple[Tensor, Tensor | None, Tensor]:
    """Losses, shares and ``void`` of a term that is a sum of losses."""
    own = [part.shares for part in parts if part.shares is not None]
    return (
        torch.stack([part.losses for part in parts]).sum(dim=0),
        torch.stack(own).sum(dim=0) if shares else None,
        torch.stack([part.void for part in parts]).all(dim=0),
    )


def check_loss(name: str, module: nn.Module) -> None:
    """Refuse losses that have no value per image.

    Args:
        name (str): The module's name in the model.
        module (nn.Module): The loss.

    Raises:
        UnsupportedModelError: Names the loss and alternatives.
    """
    kind = type(module)
    if isinstance(module, LovaszLoss) and not module.per_image:
        raise UnsupportedModelError(
            f'{name}=LovaszLoss with per_image=False ranks the pixels of the '
            'whole batch, so an image has no loss of its own; use '
            "LovaszLoss(per_image=True, reduction='mean')"
        )
    known = any(
        inherits(kind, base, ('forward',))
        for base in (*_PIXELS, *_PER_IMAGE, *_OF_BATCH)
    )
    if not known or getattr(module, 'use_mask', False):
        raise UnsupportedModelError(
            f'{name}={kind.__name__} has no per-image value here; use '
            'CrossEntropyLoss (with an OHEMPixelSampler for hard pixels), '
            'FocalLoss, DiceLoss, TverskyLoss or LovaszLoss(per_image=True)'
        )
    if getattr(module, 'reduction', 'mean') == 'none':
        raise UnsupportedModelError(
            f"{name}={kind.__name__} with reduction='none': per-image losses "
            "need reduction='mean' or 'sum'"
        )


def _split_pixels(call: LossCall) -> Parts:
    values = _pixel_losses(call)
    valid = _valid(call)
    if _is_binary(call.module):
        # mmseg's binary losses ignore negative labels as well.
        valid &= (call.args[1] >= 0).flatten(1)
    own = _counted(call, valid)
    batch: Any = values.numel()
    if _skips_ignored(call.module):
        # Avoid 0 / 0: mmseg's loss of a batch without valid pixels is zero.
        batch = own.sum() + torch.finfo(torch.float32).eps
    if call.module.reduction == 'sum':
        own, batch = torch.ones_like(own), 1
    sums = values.sum(dim=1)
    # Not 1: with class weights an image may count for less than a pixel.
    losses = sums.detach() / own.clamp(min=1e-12)
    return Parts(losses, sums / batch, ~valid.any(dim=1))


def _split_images(call: LossCall) -> Parts:
    """Split a loss that is computed per image and averaged over images."""
    values = _images_alone(call)
    # The Huasdorff loss is a mean whatever its reduction.
    summed = not isinstance(call.module, HuasdorffDisstanceLoss) and (
        getattr(call.module, 'reduction', 'mean') == 'sum'
    )
    shares = values if summed else values / len(values)
    return Parts(values.detach(), shares, ~_valid(call).any(dim=1))


def _images_alone(call: LossCall) -> Tensor:
    """The module's loss of every image alone, float32 (N,)."""
    pred, label = call.args[:2]
    values = [
        call.again(pred[i : i + 1], label[i : i + 1], **call.kwargs)
        for i in range(len(pred))
    ]
    return torch.stack(values).float()


def _valid(call: LossCall) -> Tensor:
    """Which pixels are not ignored, bool (N, pixels)."""
    label = call.args[1].flatten(1)
    if isinstance(call.module, SiLogLoss):
        return cast(Tensor, label > call.module.eps)
    ignored = getattr(call.module, 'ignore_label', -100)
    return cast(Tensor, label != call.kwargs.get('ignore_index', ignored))


def _pixel_losses(call: LossCall) -> Tensor:
    """The weighted losses of every image, float32 (N, elements)."""
    # In half precision, a sum over an image's pixels could overflow.
    reduced = cast(Tensor, call.reduced).float()
    # FocalLoss reduces rows, ordered by image.
    weight = cast(float, call.module.loss_weight)
    return reduced.reshape(len(call.args[0]), -1) * weight


def _counted(call: LossCall, valid: Tensor) -> Tensor:
    """The total count of every image's valid pixels, float32 (N,)."""
    pred, label = call.args[:2]
    if _weighs_classes(call.module):
        given = call.module.class_weight
        weights = pred.new_tensor(given, dtype=torch.float32)
        # Ignored labels are not valid indices; substitute any.
        classes = label.flatten(1).where(valid, 0)
        return (weights[classes] * valid).sum(dim=1)
    channels = 1
    if _is_binary(call.module) and pred.dim() != label.dim():
        channels = pred.shape[1]
    return valid.sum(dim=1).float() * channels


def _weighs_classes(module: nn.Module) -> bool:
    # With use_sigmoid they weight positive pixels and do not divide.
    softmax = not _is_binary(module)
    return softmax and module.class_weight is not None


def _is_binary(module: nn.Module) -> bool:
    return isinstance(module, FocalLoss) or bool(module.use_sigmoid)


def _skips_ignored(module: nn.Module) -> bool:
    """Whether the batch loss is divided by the count of valid pixels."""
    if isinstance(module, FocalLoss):
        return False
    return bool(module.avg_non_ignore) or _weighs_classes(module)
