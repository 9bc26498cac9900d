"""The normalisers of a single image's loss, for mmdet's dense heads.

A head divides its sums over rows by counts or sums of the batch. For an image
alone, they are those of the image: rows, positives or weights of the same
calls. A subclass that overrides how they are computed is not covered.
Source: ``loss_by_feat`` of each head.
"""

from collections.abc import Callable
from typing import Any

from mmdet.models import dense_heads as heads
from mmdet.models.task_modules import PseudoSampler
from torch import Tensor

from ies_mm.losses.capture.registry import inherits
from ies_mm.losses.mmdet import query_divisors
from ies_mm.losses.mmdet.divisors import (
    Term,
    metrics,
    positives,
    rows,
    weights,
)
from ies_mm.losses.rows.loss_types import known_losses
from ies_mm.losses.rows.row_calls import RowCalls


def _ddod(head: Any) -> list[Term]:
    return [
        Term('loss_cls', positives('loss_cls', head)),
        # Boxes have an assigner of their own, so other positives.
        Term('loss_bbox', rows('loss_bbox')),
        Term('loss_iou', rows('loss_bbox')),
    ]


def _fcos(head: Any) -> list[Term]:
    return [
        # Only positives have a centerness, so its rows count them.
        Term('loss_cls', rows('loss_centerness')),
        # FCOS's own bound for the sum of centernesses; ATSS has 1.
        Term('loss_bbox', weights('loss_bbox', least=1e-6)),
        Term('loss_centerness', rows('loss_centerness')),
    ]


def _atss(head: Any) -> list[Term]:
    return [
        Term('loss_cls', rows('loss_centerness')),
        Term('loss_bbox', weights('loss_bbox')),
        Term('loss_centerness', rows('loss_centerness')),
    ]


def _gfl(head: Any) -> list[Term]:
    return [
        Term('loss_cls', rows('loss_bbox')),
        Term('loss_bbox', weights('loss_bbox')),
        # A row for each of the four sides of a box.
        Term('loss_dfl', weights('loss_bbox'), by=4),
    ]


def _vfnet(head: Any) -> list[Term]:
    return [
        Term('loss_cls', rows('loss_bbox')),
        Term('loss_bbox', weights('loss_bbox')),
        Term('loss_bbox_refine', weights('loss_bbox_refine'), 'loss_bbox_rf'),
    ]


def _tood(head: Any) -> list[Term]:
    return [_tood_cls(head), Term('loss_bbox', weights('loss_bbox'))]


def _tood_cls(head: Any) -> Term:
    if head.epoch < head.initial_epoch:
        # The metric of a positive is then its box weight, 1.
        return Term('initial_loss_cls', rows('loss_bbox'), 'loss_cls')
    return Term('loss_cls', metrics('loss_cls'))


def _rtmdet(head: Any) -> list[Term]:
    return [
        Term('loss_cls', metrics('loss_cls')),
        Term('loss_bbox', weights('loss_bbox')),
    ]


def _rtmdet_ins(head: Any) -> list[Term]:
    return [*_rtmdet(head), Term('loss_mask', rows('loss_mask'))]


def _paa(head: Any) -> list[Term]:
    return [
        Term('loss_cls', rows('loss_centerness')),
        # The least weight that mmdet gives a row.
        Term('loss_bbox', weights('loss_bbox', least=1e-12)),
        Term('loss_centerness', rows('loss_centerness'), 'loss_iou'),
    ]


def _yolox(head: Any) -> list[Term]:
    names = ['loss_cls', 'loss_bbox', 'loss_obj']
    names += ['loss_l1'] if head.use_l1 else []
    # Only positives are passed to loss_cls, so its rows count them.
    return [Term(name, rows('loss_cls')) for name in names]


def _yolof(head: Any) -> list[Term]:
    own = positives('loss_cls', head)
    return [Term('loss_cls', own), Term('loss_bbox', own)]


def _yolov3(head: Any) -> list[Term]:
    # Plain sums.
    names = ('loss_cls', 'loss_conf', 'loss_xy', 'loss_wh')
    return [Term(name, lambda c: c.zeros() + 1) for name in names]


def _centernet(head: Any) -> list[Term]:
    def peaks(calls: RowCalls) -> Tensor:
        found = calls.targets('loss_center_heatmap', lambda t: t.eq(1))
        return found.clamp(min=1)

    return [
        Term('loss_center_heatmap', peaks),
        Term('loss_wh', peaks, by=2),
        Term('loss_offset', peaks, by=2),
    ]


def _fovea(head: Any) -> list[Term]:
    return [
        # mmdet adds the number of images, which is 1 here.
        Term('loss_cls', rows('loss_bbox', more=1)),
        Term('loss_bbox', rows('loss_bbox')),
    ]


def _reppoints(head: Any) -> list[Term]:
    def weighted(calls: RowCalls) -> Tensor:
        return calls.weighted_rows('loss_bbox_init').clamp(min=1)

    own = positives('loss_cls', head)
    return [
        Term('loss_cls', own),
        Term('loss_bbox_init', weighted, 'loss_pts_init'),
        Term('loss_bbox_refine', own, 'loss_pts_refine'),
    ]


_SUMS: dict[type, tuple[str, ...]] = {
    heads.YOLOV3Head: ('loss_cls', 'loss_conf', 'loss_xy', 'loss_wh'),
    heads.YOLOXHead: ('loss_cls', 'loss_bbox', 'loss_obj', 'loss_l1'),
}
"""Modules that give plain sums, without ``avg_factor``, if so configured."""

_COUNTS_ASSIGNED = (
    heads.ATSSHead,
    heads.DDODHead,
    heads.GFLHead,
    heads.RepPointsHead,
    heads.YOLOFHead,
)
"""Heads that divide by what their sampler counts: the positives alone only
if it samples none of the negatives."""

_LAYERED = (heads.DETRHead, heads.MaskFormerHead)
"""Heads with the same terms for every decoder layer."""

_RELIES_ON = (
    'loss_by_feat',
    'loss_by_feat_single',
    '_loss_by_feat_single',
    'loss_cls_by_feat_single',
    'loss_dn',
    '_loss_dn_single',
    'loss_mask_by_feat',
    'loss_reg_by_feat_single',
    '_mask_predict_by_feat_single',
    'get_targets',
)

_TERMS: dict[type, Callable[[Any], list[Term]]] = {
    heads.ATSSHead: _atss,
    heads.CenterNetHead: _centernet,
    heads.CondInstBboxHead: _fcos,
    heads.CondInstMaskHead: query_divisors.condinst_masks,
    heads.DecoupledSOLOHead: query_divisors.solo,
    heads.DeformableDETRHead: query_divisors.detr,
    heads.DDODHead: _ddod,
    heads.DETRHead: query_divisors.detr,
    heads.DINOHead: query_divisors.detr,
    heads.FCOSHead: _fcos,
    heads.FoveaHead: _fovea,
    heads.GFLHead: _gfl,
    heads.GroundingDINOHead: query_divisors.detr,
    heads.Mask2FormerHead: query_divisors.masks,
    heads.MaskFormerHead: query_divisors.masks,
    heads.PAAHead: _paa,
    heads.RepPointsHead: _reppoints,
    heads.RTMDetHead: _rtmdet,
    heads.RTMDetInsHead: _rtmdet_ins,
    heads.SOLOHead: query_divisors.solo,
    heads.SOLOV2Head: query_divisors.solov2,
    heads.TOODHead: _tood,
    heads.VFNetHead: _vfnet,
    heads.YOLOFHead: _yolof,
    heads.YOLOV3Head: _yolov3,
    heads.YOLOXHead: _yolox,
}


def has_row_terms(head: Any) -> bool:
    """Whether a head's losses can be split by rows.

    Does not build the terms: it runs before training, when some heads (TOOD)
    do not know their epoch yet.
    """
    base = _declared(head)
    if base is None or not known_losses(head):
        return False
    if not all(
        getattr(head, n).reduction == 'sum' for n in _SUMS.get(base, ())
    ):
        return False
    if base in _COUNTS_ASSIGNED and type(head.sampler) is not PseudoSampler:
        return False
    # Without sync_num_pos, an image without an object divides by zero.
    return base is not heads.VFNetHead or head.sync_num_pos


def row_terms(head: Any) -> list[Term]:
    """The current terms of a head that :func:`has_row_terms` accepts."""
    base = _declared(head)
    return _TERMS[base](head) if base else []


def _declared(head: Any) -> type | None:
    """The class with declared terms whose losses the head inherits."""
    base = next((b for b in type(head).__mro__ if b in _TERMS), None)
    if base is None:
        return None
    methods = tuple(m for m in _RELIES_ON if hasattr(base, m))
    return base if inherits(type(head), base, methods) else None


def is_layered(head: Any) -> bool:
    """Whether a head has the same terms for every decoder layer."""
    return isinstance(head, _LAYERED)
