"""Per-image losses of mmpretrain's classification heads.

Their loss modules give one value an image and class; the batch loss is their
sum over the batch, divided by the number of images. An image alone would be
divided by one. Source: mmpretrain's ``ClsHead._get_loss``.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from mmpretrain.models.heads import (
    ArcFaceClsHead,
    ClsHead,
    ConformerHead,
    EfficientFormerClsHead,
    MultiLabelClsHead,
)
from torch import Tensor, nn

from ies_mm.errors import UnsupportedModelError
from ies_mm.losses.calls import LossCall, noted_calls, per_image
from ies_mm.losses.patching import override
from ies_mm.losses.registry import Note, Wanted, register_adapter


@register_adapter(
    ClsHead,
    ConformerHead,
    EfficientFormerClsHead,
    MultiLabelClsHead,
    relies_on=('loss', '_get_loss'),
)
@register_adapter(ArcFaceClsHead, relies_on=('loss',))
@contextmanager
def cls_head(
    name: str, head: nn.Module, want: Wanted, note: Note
) -> Iterator[None]:
    """Adapter for classification heads: wraps ``head.loss``."""
    _check_averages(name, head.loss_module)

    def loss(original: Callable, *args: Any, **kwargs: Any) -> dict:
        with noted_calls(head) as calls:
            batch = original(*args, **kwargs)
        if not calls:
            return batch  # No image is labelled for this task of several.
        with torch.set_grad_enabled(want.shares and torch.is_grad_enabled()):
            sums = [_images(call) for call in calls]
        images = len(sums[0])
        own = [torch.ones_like(sums[0])] * len(sums)
        counts = [images] * len(sums)
        note('loss', *per_image(sums, own, counts, want.shares))
        return batch

    with override(head, 'loss', loss):
        yield


def _images(call: LossCall) -> Tensor:
    """The loss of every image, float32 (N,), classes added up."""
    value = call.unreduced()
    scores = call.args[0]
    images = len(scores)
    # Scores (N, 1) against labels (N,) would be compared pair by pair.
    if value.shape not in (scores.shape, scores.shape[:1]):
        raise UnsupportedModelError(
            f'{type(call.module).__name__} gives no loss per image, but '
            f'values {tuple(value.shape)} for scores {tuple(scores.shape)}; '
            "use a loss that heeds reduction_override='none', such as "
            'CrossEntropyLoss, and for regression a gt_score per image'
        )
    return value.float().reshape(images, -1).sum(dim=1)


def _check_averages(name: str, module: Any) -> None:
    reduction = getattr(module, 'reduction', None)
    if reduction != 'mean':
        raise UnsupportedModelError(
            f'{name}.loss_module={type(module).__name__} with reduction='
            f"{reduction!r}: per-image losses need reduction='mean'"
        )
