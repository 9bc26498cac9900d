"""Per-image losses of mmseg's heads that match masks to classes.

They turn every label map into masks, match and sample points image by image,
and divide by the number of masks of the batch. The losses of MaskFormer and
Mask2Former are mmdet's and split by rows. SAN's is mmseg's own; its
``loss_by_feat`` is re-evaluated for every image.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mmseg.models.decode_heads import (
    Mask2FormerHead,
    MaskFormerHead,
    SideAdapterCLIPHead,
)
from torch import Tensor

from ies_mm.losses.capture.registry import Note, Wanted, register_adapter
from ies_mm.losses.capture.terms import Terms, terms_of
from ies_mm.losses.generic.by_image import asked_by_image
from ies_mm.losses.generic.portions import Call
from ies_mm.losses.generic.slicing import entry_of, image_of
from ies_mm.losses.mmseg.heads import prefix_of


@register_adapter(
    MaskFormerHead,
    Mask2FormerHead,
    SideAdapterCLIPHead,
    relies_on=('loss',),
)
@contextmanager
def mask_head(
    name: str, head: Any, want: Wanted, note: Note
) -> Iterator[None]:
    """Adapter for heads that match masks: wraps ``head.loss_by_feat``."""
    prefix = prefix_of(name)
    if not isinstance(head, SideAdapterCLIPHead):
        # Heads derived from mmdet's imply that mmdet is installed.
        from ies_mm.losses.mmdet.dense_divisors import has_row_terms
        from ies_mm.losses.mmdet.dense_heads import outputs_of
        from ies_mm.losses.mmdet.dense_rows import asked_by_rows

        if has_row_terms(head):
            outputs = outputs_of(head.loss_by_feat)
            named = f'{prefix}.{{}}'.format
            with asked_by_rows(head, outputs, named, want, note):
                yield
            return

    def read(losses: dict[str, Any]) -> Terms:
        return {f'{prefix}.{k}': v for k, v in terms_of(losses).items()}

    with asked_by_image(head, 'loss_by_feat', _slices, read, want, note):
        yield


def _slices(call: Call) -> list[Call]:
    """Slice each layer's scores and masks, instances and optional metas."""
    (scores, masks, *lists), kwargs = call
    images = len(lists[0])

    def own(layers: Any, image: int) -> Any:
        return image_of(layers, image, images, isinstance(layers, Tensor))

    return [
        (
            (own(scores, i), own(masks, i), *(entry_of(x, i) for x in lists)),
            kwargs,
        )
        for i in range(images)
    ]
