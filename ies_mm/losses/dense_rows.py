"""Per-image losses of mmdet's dense heads, by rows.

Which image a row belongs to is followed through the head's own flattening
(:mod:`ies_mm.losses.tracing`). What an image alone would be divided by is
declared here, head by head: counts or sums over the same rows.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from mmdet.models import dense_heads as heads
from mmdet.models import losses as mmdet_losses
from torch import Tensor

from ies_mm.losses.calls import noted_calls
from ies_mm.losses.patching import override
from ies_mm.losses.portions import Call
from ies_mm.losses.registry import Note, Wanted, inherits
from ies_mm.losses.row_calls import (
    RowCalls,
    known_losses,
    parts_of,
    plain_calls,
    unnormalised,
)
from ies_mm.losses.targets import owned_targets
from ies_mm.losses.terms import terms_of
from ies_mm.losses.tracing import traced

Own = Callable[[RowCalls], Tensor]
"""What the images alone are divided by, float32 (N,)."""

ROW_LOSSES = frozenset(
    getattr(mmdet_losses, name)
    for name in (
        'BalancedL1Loss',
        'BoundedIoULoss',
        'CIoULoss',
        'CrossEntropyLoss',
        'DIoULoss',
        'DistributionFocalLoss',
        'EIoULoss',
        'FocalLoss',
        'GaussianFocalLoss',
        'GIoULoss',
        'IoULoss',
        'L1Loss',
        'MSELoss',
        'QualityFocalLoss',
        'SIoULoss',
        'SmoothL1Loss',
        'VarifocalLoss',
    )
    if hasattr(mmdet_losses, name)
)
"""Losses that sum a tensor up whose first axis is that of the predictions."""


@dataclass(frozen=True)
class Term:
    """One term of a head.

    Attributes:
        module (str): The loss module that computes it.
        own (callable): What an image alone is divided by.
        name (str): The term's, where it is not the module's.
        by (float): What the sum is divided by beside it. Defaults to 1.
    """

    module: str
    own: Own
    name: str = ''
    by: float = 1.0


def rows(module: str, least: float = 1, more: float = 0) -> Own:
    """Rows of an image in the calls of ``module``, and ``more``."""
    return lambda calls: (calls.rows(module) + more).clamp(min=least)


def weights(module: str, least: float = 1) -> Own:
    """Weights of an image's rows in the calls of ``module``."""
    return lambda calls: calls.weights(module).clamp(min=least)


def positives(module: str, head: Any) -> Own:
    """Rows of an image with a class, at least one."""
    classes = head.num_classes
    return lambda calls: calls.positives(module, classes).clamp(min=1)


def metrics(module: str) -> Own:
    """How well an image's rows are aligned: targets (labels, metrics)."""
    return lambda calls: calls.targets(module, lambda t: t[1]).clamp(min=1)


def _fcos(head: Any) -> list[Term]:
    return [
        Term('loss_cls', rows('loss_centerness')),
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
        Term('loss_dfl', weights('loss_bbox'), by=4),
    ]


def _vfnet(head: Any) -> list[Term]:
    # Without the processes' mean an image without an object divides by zero.
    if not head.sync_num_pos:
        return []
    return [
        Term('loss_cls', rows('loss_bbox')),
        Term('loss_bbox', weights('loss_bbox')),
        Term('loss_bbox_refine', weights('loss_bbox_refine'), 'loss_bbox_rf'),
    ]


def _tood(head: Any) -> list[Term]:
    return [_tood_cls(head), Term('loss_bbox', weights('loss_bbox'))]


def _tood_cls(head: Any) -> Term:
    if head.epoch < head.initial_epoch:
        return Term('initial_loss_cls', rows('loss_bbox'), 'loss_cls')
    return Term('loss_cls', metrics('loss_cls'))


def _rtmdet(head: Any) -> list[Term]:
    return [
        Term('loss_cls', metrics('loss_cls')),
        Term('loss_bbox', weights('loss_bbox')),
    ]


def _paa(head: Any) -> list[Term]:
    return [
        Term('loss_cls', rows('loss_centerness')),
        Term('loss_bbox', weights('loss_bbox', least=1e-12)),
        Term('loss_centerness', rows('loss_centerness'), 'loss_iou'),
    ]


def _yolox(head: Any) -> list[Term]:
    names = ['loss_cls', 'loss_bbox', 'loss_obj']
    names += ['loss_l1'] if head.use_l1 else []
    return [Term(name, rows('loss_cls')) for name in names]


def _yolof(head: Any) -> list[Term]:
    own = positives('loss_cls', head)
    return [Term('loss_cls', own), Term('loss_bbox', own)]


def _yolov3(head: Any) -> list[Term]:
    # Sums, divided by nothing.
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


_RELIES_ON = ('loss_by_feat', 'loss_by_feat_single', 'get_targets')

_TERMS: dict[type, Callable[[Any], list[Term]]] = {
    heads.ATSSHead: _atss,
    heads.CenterNetHead: _centernet,
    heads.FCOSHead: _fcos,
    heads.FoveaHead: _fovea,
    heads.GFLHead: _gfl,
    heads.PAAHead: _paa,
    heads.RepPointsHead: _reppoints,
    heads.RTMDetHead: _rtmdet,
    heads.TOODHead: _tood,
    heads.VFNetHead: _vfnet,
    heads.YOLOFHead: _yolof,
    heads.YOLOV3Head: _yolov3,
    heads.YOLOXHead: _yolox,
}


def row_terms(head: Any) -> list[Term]:
    """The terms of a head whose losses can be told apart by rows, or none."""
    for base in type(head).__mro__:
        if base in _TERMS:
            methods = [m for m in _RELIES_ON if hasattr(base, m)]
            kept = inherits(type(head), base, tuple(methods))
            if kept and known_losses(head, ROW_LOSSES):
                return _TERMS[base](head)
            break
    return []


@contextmanager
def asked_by_rows(
    head: Any,
    outputs: Callable[[Call], tuple[list[tuple[Tensor, int]], int]],
    named: Callable[[str], str],
    want: Wanted,
    note: Note,
) -> Iterator[None]:
    """Note per-image losses whenever the head computes its losses.

    Args:
        head (Module): One with :func:`row_terms`.
        outputs (callable): The arguments of ``loss_by_feat`` -> its outputs,
            each with the axis of the images; and N.
        named (callable): A term of the head -> the model's name of it.
        want (Wanted): What is asked for.
        note (callable): See
            :meth:`~ies_mm.losses.base.CapturedLosses.note`.
    """

    def loss_by_feat(original: Callable, *args: Any, **kwargs: Any) -> dict:
        found, images = outputs((args, kwargs))
        with (
            traced(found, images),
            owned_targets(head, images),
            noted_calls(head) as noted,
        ):
            result = original(*args, **kwargs)
        device = found[0][0].device
        calls = RowCalls(plain_calls(noted), images, device)
        values = terms_of(result)
        for term in row_terms(head):
            name = term.name or term.module
            note(named(name), *_values(term, calls, values[name], want))
        return result

    with override(head, 'loss_by_feat', loss_by_feat):
        yield


def _values(
    term: Term, calls: RowCalls, value: Tensor, want: Wanted
) -> tuple[Tensor, Tensor | None]:
    with torch.set_grad_enabled(want.shares and torch.is_grad_enabled()):
        sums = unnormalised(calls.of(term.module), calls.zeros())
    losses = sums.detach() / (term.own(calls) * term.by)
    return losses, parts_of(value, sums) if want.shares else None
