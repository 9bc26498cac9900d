"""Per-image losses of mmdet's dense, query and mask heads.

One adapter serves them all. Heads whose losses are known, such as FCOS and
DETR, are split by rows (:mod:`ies_mm.losses.mmdet.dense_rows`), with the
normalisers of a single image declared per head
(:mod:`ies_mm.losses.mmdet.dense_divisors`). For all others ``loss_by_feat`` is
re-evaluated per image: it takes the outputs, batch first (or layers first,
then the batch), and lists with one entry per image. Since it assigns, samples
and counts image by image, its result for one image is that image's loss in a
batch of one.
"""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from mmdet.models import dense_heads as heads
from mmdet.models.seg_heads.panoptic_fusion_heads import (
    BasePanopticFusionHead,
)
from torch import Tensor

from ies_mm.errors import UnsupportedModelError
from ies_mm.losses.capture.registry import Note, Wanted, register_adapter
from ies_mm.losses.capture.terms import Terms, terms_of
from ies_mm.losses.generic.by_image import asked_by_image
from ies_mm.losses.generic.listed import asked_by_list, is_listed
from ies_mm.losses.generic.portions import Call, Slices, tensors_of
from ies_mm.losses.generic.slicing import entry_of, image_of
from ies_mm.losses.mmdet.batch_losses import check_losses
from ies_mm.losses.mmdet.dense_divisors import has_row_terms
from ies_mm.losses.mmdet.dense_rows import Outputs, asked_by_rows

_BY_IMAGE = ('positive_infos',)
"""Arguments with one entry per image, besides those named ``batch_...``."""

_LAYERS_FIRST = (
    'all_layers_cls_scores',
    'all_layers_bbox_preds',
    'all_cls_scores',
    'all_mask_preds',
)
"""Outputs of several decoder layers: (layers, N, ...)."""


@register_adapter(
    heads.ATSSHead,
    heads.AutoAssignHead,
    heads.CenterNetHead,
    heads.CenterNetUpdateHead,
    heads.CentripetalHead,
    heads.CondInstBboxHead,
    heads.CornerHead,
    heads.DDODHead,
    heads.DeformableDETRHead,
    heads.DETRHead,
    heads.DINOHead,
    heads.FCOSHead,
    heads.FoveaHead,
    heads.FreeAnchorRetinaHead,
    heads.FSAFHead,
    heads.GARPNHead,
    heads.GFLHead,
    heads.GuidedAnchorHead,
    heads.MaskFormerHead,
    heads.PAAHead,
    heads.RepPointsHead,
    heads.RTMDetHead,
    heads.RTMDetInsHead,
    heads.SABLRetinaHead,
    heads.SSDHead,
    heads.TOODHead,
    heads.VFNetHead,
    heads.YOLACTHead,
    heads.YOLOFHead,
    heads.YOLOV3Head,
    heads.YOLOXHead,
    heads.SOLOHead,
    heads.DecoupledSOLOHead,
    heads.SOLOV2Head,
    relies_on=('loss_by_feat',),
)
@contextmanager
def dense_head(
    name: str, head: Any, want: Wanted, note: Note
) -> Iterator[None]:
    """Adapter for heads with a ``loss_by_feat``, which it wraps."""
    check_losses(name, head)
    if is_listed(head):
        with asked_by_list(head, want, note):
            yield
        return
    if has_row_terms(head):
        outputs = outputs_of(head.loss_by_feat)
        named = partial(_named, name)
        with asked_by_rows(head, outputs, named, want, note):
            yield
        return
    slices = slices_of(head.loss_by_feat)
    # DDOD weights levels by the positives of the training so far.
    kept = 'calc_reweight_factor' if isinstance(head, heads.DDODHead) else ''

    def read(losses: dict[str, Any]) -> Terms:
        found = terms_of(losses)
        return {_named(name, term): found[term] for term in found}

    with asked_by_image(head, 'loss_by_feat', slices, read, want, note, kept):
        yield


@register_adapter(
    heads.BoxInstMaskHead,
    heads.CondInstMaskHead,
    heads.YOLACTProtonet,
    relies_on=('loss_by_feat',),
)
@contextmanager
def instance_mask_head(
    name: str, head: Any, want: Wanted, note: Note
) -> Iterator[None]:
    """Adapter for mask heads whose masks are a list, one entry per image."""
    if is_listed(head):
        with asked_by_list(head, want, note):
            yield
        return
    masks = ('mask_preds',)
    if has_row_terms(head):
        outputs = outputs_of(head.loss_by_feat, masks)
        with asked_by_rows(head, outputs, str, want, note):
            yield
        return
    slices = slices_of(head.loss_by_feat, masks)

    with asked_by_image(head, 'loss_by_feat', slices, terms_of, want, note):
        yield


@register_adapter(BasePanopticFusionHead, heads.EmbeddingRPNHead)
@contextmanager
def head_without_loss(
    name: str, head: Any, want: Wanted, note: Note
) -> Iterator[None]:
    """Adapter for heads that only fuse or initialise predictions."""
    yield


def slices_of(
    loss_by_feat: Callable, by_image: tuple[str, ...] = ()
) -> Slices:
    """A function that slices the arguments of a ``loss_by_feat`` by image.

    Args:
        loss_by_feat (callable): Its signature tells outputs from lists.
        by_image (tuple of str): Arguments that are lists with one entry per
            image, besides ``positive_infos`` and those named ``batch_...``.

    Raises:
        UnsupportedModelError: Its arguments are not named like mmdet's.
    """
    signature = inspect.signature(loss_by_feat)
    lists = _BY_IMAGE + by_image
    if 'batch_img_metas' not in signature.parameters:
        raise UnsupportedModelError(
            f'no per-image losses by a loss_by_feat{signature}: name its '
            "arguments as mmdet's heads do, batch_img_metas among them"
        )

    def slices(call: Call) -> list[Call]:
        bound = signature.bind(*call[0], **call[1])
        given = dict(bound.arguments)
        # SOLO takes lists with one entry per image as ``**kwargs``.
        given |= given.pop('kwargs', {})
        images = len(given['batch_img_metas'])

        def own(name: str, value: Any, image: int) -> Any:
            if name.startswith('batch_') or name in lists:
                return entry_of(value, image)
            return image_of(value, image, images, name in _LAYERS_FIRST)

        return [
            ((), {name: own(name, value, i) for name, value in given.items()})
            for i in range(images)
        ]

    return slices


def outputs_of(
    loss_by_feat: Callable, by_image: tuple[str, ...] = ()
) -> Outputs:
    """A function that picks outputs and N from ``loss_by_feat``'s arguments.

    Args:
        loss_by_feat (callable): As in :func:`slices_of`.
        by_image (tuple of str): Outputs that are lists with one entry per
            image.
    """
    signature = inspect.signature(loss_by_feat)

    def axis(name: str, value: Any) -> int | None:
        # Layers in a list: each of its tensors has the images first.
        layers_first = name in _LAYERS_FIRST and isinstance(value, Tensor)
        return None if name in by_image else int(layers_first)

    def outputs(call: Call) -> tuple[list[tuple[Tensor, int | None]], int]:
        given = dict(signature.bind(*call[0], **call[1]).arguments)
        given |= given.pop('kwargs', {})
        found = [
            (tensor, axis(name, value))
            for name, value in given.items()
            if not name.startswith('batch_') and name not in _BY_IMAGE
            for tensor in tensors_of(value)
        ]
        return found, len(given['batch_img_metas'])

    return outputs


def _named(head: str, term: str) -> str:
    """A term's name in the model: two-stage detectors prefix RPN terms."""
    if head == 'rpn_head' and 'rpn' not in term:
        return f'rpn_{term}'
    return term
