"""Per-image losses of mmpretrain's classification heads.

Their loss modules return one value per image, or per image and class. The
batch loss is their sum, divided by ``avg_factor`` (the number of images) or
else by the number of values; that of an image alone, by its part of this.
timm and Hugging Face models compute their loss in the same way, without a
head. Source: mmpretrain's ``ClsHead._get_loss``, ``weight_reduce_loss``.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from mmpretrain.models.classifiers import (
    HuggingFaceClassifier,
    TimmClassifier,
)
from mmpretrain.models.heads import (
    ArcFaceClsHead,
    ClsHead,
    ConformerHead,
    EfficientFormerClsHead,
    MultiLabelClsHead,
)
from torch import Tensor, nn

from ies_mm.errors import UnsupportedModelError
from ies_mm.losses.capture.calls import LossCall, noted_calls, per_image
from ies_mm.losses.capture.patching import override
from ies_mm.losses.capture.registry import Note, Wanted, register_adapter


@register_adapter(
    ClsHead,
    ConformerHead,
    EfficientFormerClsHead,
    HuggingFaceClassifier,
    MultiLabelClsHead,
    TimmClassifier,
    relies_on=('loss', '_get_loss'),
)
@register_adapter(ArcFaceClsHead, relies_on=('loss',))
@contextmanager
def cls_head(
    name: str, head: nn.Module, want: Wanted, note: Note
) -> Iterator[None]:
    """Adapter for classification heads: wraps ``head.loss``."""
    _check_averages(f'{name}.'.lstrip('.'), head.loss_module)

    def loss(original: Callable, *args: Any, **kwargs: Any) -> dict:
        with noted_calls(head) as calls:
            batch = original(*args, **kwargs)
        if not calls:
            return batch  # In multi-task training, no image has this label.
        note('loss', *_split(calls, want.shares))
        return batch

    with override(head, 'loss', loss):
        yield


def _split(
    calls: list[LossCall], shares: bool
) -> tuple[Tensor, Tensor | None]:
    """Losses and shares of the sum of the calls, (N,) each."""
    with torch.set_grad_enabled(shares and torch.is_grad_enabled()):
        values = [_values(call) for call in calls]
        sums = [value.sum(dim=1) for value in values]
    counts = [
        call.kwargs.get('avg_factor') or value.numel()
        for call, value in zip(calls, values, strict=True)
    ]
    own = [
        torch.full_like(total, count / len(total))
        for total, count in zip(sums, counts, strict=True)
    ]
    return per_image(sums, own, counts, shares)


def _values(call: LossCall) -> Tensor:
    """The losses of every image, float32 (N, 1) or (N, classes)."""
    # Called again: with one row per image, that costs next to nothing.
    value, scores = call.unreduced(), call.args[0]
    if value.dim() == 0 and len(call.args[1]) == 1:
        # LeNet squeezes the scores of a single image.
        value, scores = value[None], scores[None]
    # Scores (N, 1) and labels (N,) would broadcast to (N, N).
    if value.shape not in (scores.shape, scores.shape[:1]):
        raise UnsupportedModelError(
            f'{type(call.module).__name__} gives no loss per image, but '
            f'values {tuple(value.shape)} for scores {tuple(scores.shape)}; '
            "use a loss that honours reduction_override='none', such as "
            'CrossEntropyLoss, and for regression a gt_score per image'
        )
    return value.float().reshape(len(scores), -1)


def _check_averages(prefix: str, module: Any) -> None:
    reduction = getattr(module, 'reduction', None)
    if reduction != 'mean':
        raise UnsupportedModelError(
            f'{prefix}loss_module={type(module).__name__} with reduction='
            f"{reduction!r}: per-image losses need reduction='mean'"
        )
