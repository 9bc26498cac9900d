"""Per-image losses of mmseg's decode heads.

The heads average over the pixels of the whole batch, some losses over the
ignored and the padded ones too. An image's own loss is the mean over its own
valid pixels, so that it does not depend on how much of it is ignored or was
padded. (What a loss takes for valid does: DiceLoss counts ignored pixels as
background, STDCHead's edge maps ignore none.)

==========================  =====================  ==========================
loss                        a valid pixel counts   the batch is divided by
==========================  =====================  ==========================
CrossEntropyLoss            1, or its class's      all pixels; the valid ones
                            weight                 with ``avg_non_ignore``;
                                                   the class weights
CrossEntropyLoss, sigmoid   its channels           all elements, or the valid
FocalLoss                   its channels           all elements
Dice, Lovasz, Tversky       (one value an image)   images
==========================  =====================  ==========================

With ``reduction='sum'`` nothing is divided. Pixels that an OHEM sampler left
out add nothing, but are counted, as mmseg does. Source: mmseg's
``BaseDecodeHead.loss_by_feat`` and ``mmseg.models.losses``.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import torch
from mmseg.models.decode_heads import DAHead, EncHead, PointHead, STDCHead
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.models.losses import (
    CrossEntropyLoss,
    DiceLoss,
    FocalLoss,
    LovaszLoss,
    TverskyLoss,
)
from torch import Tensor, nn

from ies_mm.errors import UnsupportedModelError
from ies_mm.losses.base import Note, Wanted, inherits, register_adapter
from ies_mm.losses.calls import (
    LossCall,
    loss_modules,
    noted_calls,
    per_image,
)
from ies_mm.losses.patching import override

_PER_IMAGE = (DiceLoss, LovaszLoss, TverskyLoss)
_PIXELS = (CrossEntropyLoss, FocalLoss)


@register_adapter(
    BaseDecodeHead,
    DAHead,
    EncHead,
    PointHead,
    STDCHead,
    relies_on=('loss_by_feat',),
)
@contextmanager
def decode_head(
    name: str, head: nn.Module, want: Wanted, note: Note
) -> Iterator[None]:
    """Adapter for decode and auxiliary heads: wraps ``head.loss_by_feat``."""
    for child, module in loss_modules(head).items():
        _check_loss(f'{name}.{child}', module)
    prefix = _prefix(name)

    def loss_by_feat(original: Callable, *args: Any, **kwargs: Any) -> dict:
        with noted_calls(head) as noted:
            batch = original(*args, **kwargs)
        for term, calls in _by_term(batch, noted).items():
            with torch.set_grad_enabled(
                want.shares and torch.is_grad_enabled()
            ):
                parts = [_split(call) for call in calls]
            losses, own_shares = per_image(
                [part.sums for part in parts],
                [part.own.clamp(min=1e-12) for part in parts],
                [part.batch for part in parts],
                want.shares,
            )
            missing = torch.stack([part.empty for part in parts]).all(0)
            note(f'{prefix}.{term}', losses, own_shares, missing)
        return batch

    with override(head, 'loss_by_feat', loss_by_feat):
        yield


@dataclass(frozen=True)
class _Split:
    """A batch loss taken apart.

    Attributes:
        sums (Tensor): float32 (N,), summed over the image's pixels.
        own (Tensor): (N,), what an image alone is divided by.
        batch (Tensor or int): What the sum over the batch is divided by.
        empty (Tensor): bool (N,), the image has no valid pixel.
    """

    sums: Tensor
    own: Tensor
    batch: Any
    empty: Tensor


def _split(call: LossCall) -> _Split:
    if isinstance(call.module, _PER_IMAGE):
        return _split_images(call)
    pred, label = call.args[:2]
    values = _pixel_losses(call)
    valid = (label != call.kwargs.get('ignore_index', -100)).flatten(1)
    if _is_binary(call.module):
        valid &= (label >= 0).flatten(1)
    own = _counted(call.module, pred, label, valid)
    batch: Any = values.numel()
    if _skips_ignored(call.module):
        # A batch may have no valid pixel; mmseg's loss of it is zero.
        batch = own.sum() + torch.finfo(torch.float32).eps
    if call.module.reduction == 'sum':
        own, batch = torch.ones_like(own), 1
    return _Split(values.sum(dim=1), own, batch, ~valid.any(dim=1))


def _pixel_losses(call: LossCall) -> Tensor:
    """The weighted losses of every image, float32 (N, elements)."""
    reduced = cast(Tensor, call.reduced).float()
    # FocalLoss has them in rows, image after image.
    weight = cast(float, call.module.loss_weight)
    return reduced.reshape(len(call.args[0]), -1) * weight


def _split_images(call: LossCall) -> _Split:
    """Losses that are computed image by image and averaged over images."""
    pred, label = call.args[:2]
    values = [
        call.again(pred[i : i + 1], label[i : i + 1], **call.kwargs)
        for i in range(len(pred))
    ]
    sums = torch.stack(values).float()
    summed = getattr(call.module, 'reduction', 'mean') == 'sum'
    valid = (label != call.kwargs.get('ignore_index', -100)).flatten(1)
    batch = 1 if summed else len(sums)
    return _Split(sums, torch.ones_like(sums), batch, ~valid.any(dim=1))


def _counted(
    module: nn.Module, pred: Tensor, label: Tensor, valid: Tensor
) -> Tensor:
    """What the valid pixels of every image count, float32 (N,)."""
    if _weighs_classes(module):
        weights = pred.new_tensor(module.class_weight, dtype=torch.float32)
        # Ignored labels are no index; any one will do.
        classes = label.flatten(1).where(valid, 0)
        return (weights[classes] * valid).sum(dim=1)
    channels = 1
    if _is_binary(module) and pred.dim() != label.dim():
        channels = pred.shape[1]
    return valid.sum(dim=1).float() * channels


def _weighs_classes(module: nn.Module) -> bool:
    # With use_sigmoid they are weights of positive pixels, no divisor.
    softmax = not _is_binary(module)
    return softmax and module.class_weight is not None


def _is_binary(module: nn.Module) -> bool:
    return isinstance(module, FocalLoss) or bool(module.use_sigmoid)


def _skips_ignored(module: nn.Module) -> bool:
    """Whether the batch loss is divided by what the valid pixels count."""
    if isinstance(module, FocalLoss):
        return False
    return bool(module.avg_non_ignore) or _weighs_classes(module)


def _by_term(
    batch: dict[str, Any], noted: list[LossCall]
) -> dict[str, list[LossCall]]:
    """The calls behind each value of a head's loss dict.

    A value is the very tensor that a call returned; further losses of the
    same name were added to it in place.
    """
    calls: dict[str, list[LossCall]] = {}
    latest: dict[str, str] = {}
    for call in noted:
        if call.kwargs.get('reduction_override') == 'none':
            continue  # OHEM's sampler ranks the pixels.
        name = str(call.module.loss_name)
        for term, value in batch.items():
            if value is call.output:
                calls[term] = []
                latest[name] = term
        if name in latest:
            calls[latest[name]].append(call)
    return calls


def _prefix(name: str) -> str:
    """``decode_head.1`` -> ``decode_1``, as the segmentors name their terms.

    Raises:
        UnsupportedModelError: A decode head at an unknown place.
    """
    child, _, number = name.partition('.')
    known = {'decode_head': 'decode', 'auxiliary_head': 'aux'}
    if child not in known:
        raise UnsupportedModelError(
            f'no per-image losses for a decode head at {name}; supported: '
            'decode_head and auxiliary_head'
        )
    return known[child] + (f'_{number}' if number else '')


def _check_loss(name: str, module: nn.Module) -> None:
    """Refuse losses that have no value per image.

    Raises:
        UnsupportedModelError: Names the loss and an alternative.
    """
    kind = type(module)
    if isinstance(module, LovaszLoss) and not module.per_image:
        raise UnsupportedModelError(
            f'{name}=LovaszLoss with per_image=False ranks the pixels of the '
            'whole batch, so an image has no loss of its own; use '
            "LovaszLoss(per_image=True, reduction='mean')"
        )
    known = any(
        inherits(kind, base, ('forward',)) for base in _PIXELS + _PER_IMAGE
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
