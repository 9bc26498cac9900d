"""Per-image losses of mmdet's two-stage detectors.

The heads return averages over the batch, with normalisers counted over the
batch. An image alone would be divided by its own count instead:

=============  ============================  ==============================
term           rows                          divided by
=============  ============================  ==============================
loss_rpn_cls   sampled anchors, all levels   the anchors sampled
loss_rpn_bbox  positive anchors              the anchors sampled
loss_cls       sampled RoIs                  RoIs of weight > 0, at least 1
loss_bbox      positive RoIs                 the RoIs sampled
=============  ============================  ==============================

Source: mmdet's ``AnchorHead``, ``RPNHead`` and ``BBoxHead``.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import torch
from mmdet.models.dense_heads import RPNHead
from mmdet.models.roi_heads import StandardRoIHead
from mmdet.models.roi_heads.bbox_heads import BBoxHead
from torch import Tensor, nn

from ies_mm.errors import UnsupportedModelError
from ies_mm.losses.base import Note, Wanted, inherits, register_adapter
from ies_mm.losses.calls import LossCall, noted_calls
from ies_mm.losses.expected import (
    draws_at_random,
    expected_calls,
    noted_draws,
)
from ies_mm.losses.patching import override
from ies_mm.losses.rows import row_losses, row_weights

Calls = dict[str, list[LossCall]]


@register_adapter(
    RPNHead,
    relies_on=(
        'loss_and_predict',
        'loss_by_feat',
        'loss_by_feat_single',
        'get_targets',
        '_get_targets_single',
    ),
)
@contextmanager
def rpn_head(
    name: str, head: nn.Module, want: Wanted, note: Note
) -> Iterator[None]:
    """Adapter for RPN heads: wraps ``head.loss_by_feat``."""

    def loss_by_feat(original: Callable, *args: Any, **kwargs: Any) -> dict:
        with noted_draws(head) as draws, noted_calls(head) as noted:
            batch = original(*args, **kwargs)
        calls = _by_name(noted)
        images = len(draws)
        sampled = _counts([draw.sample.avg_factor for draw in draws], calls)

        def to_images(rows: Tensor) -> Tensor:
            # Rows of a level stand image after image, equally many.
            return rows.view(images, -1).sum(dim=1)

        def losses(calls: list[LossCall], shares: bool) -> tuple:
            return row_losses(calls, to_images, sampled, shares)

        note('loss_rpn_bbox', *losses(calls['loss_bbox'], want.shares))
        drawn = calls['loss_cls']
        if want.expected and draws_at_random(head):
            alone, _ = losses(expected_calls(drawn, draws, head), False)
            shares = losses(drawn, True)[1] if want.shares else None
            note('loss_rpn_cls', alone, shares)
        else:
            note('loss_rpn_cls', *losses(drawn, want.shares))
        return batch

    with override(head, 'loss_by_feat', loss_by_feat):
        yield


@register_adapter(StandardRoIHead, relies_on=('loss', 'bbox_loss'))
@contextmanager
def roi_head(
    name: str, head: nn.Module, want: Wanted, note: Note
) -> Iterator[None]:
    """Adapter for RoI heads: wraps ``head.bbox_head.loss_and_target``."""
    bbox_head = _box_head_alone(name, head)

    def loss_and_target(original: Callable, **kwargs: Any) -> dict:
        with noted_calls(bbox_head) as noted:
            result = original(**kwargs)
        calls = _by_name(noted)
        samples = kwargs['sampling_results']
        for term in result['loss_bbox']:
            if term in ('loss_cls', 'loss_bbox'):
                note(term, *_roi_term(term, calls, samples, want.shares))
        return result

    with override(bbox_head, 'loss_and_target', loss_and_target):
        yield


def _roi_term(
    term: str, calls: Calls, samples: list, shares: bool
) -> tuple[Tensor, Tensor | None]:
    """Losses and shares of ``loss_cls`` or ``loss_bbox``.

    RoIs stand image after image, positives first, so that lengths say whose
    they are, without a look at values that would wait for the GPU.
    """
    all_rows = [len(sample.priors) for sample in samples]
    positives = [len(sample.pos_priors) for sample in samples]
    lengths = all_rows if term == 'loss_cls' else positives

    def to_images(rows: Tensor) -> Tensor:
        return torch.stack([part.sum() for part in rows.split(lengths)])

    if not calls[term]:
        # No positive RoI in the whole batch: mmdet makes no call at all.
        zeros = torch.zeros(len(samples), device=samples[0].priors.device)
        return zeros, zeros if shares else None
    own = _counts(all_rows, calls)
    if term == 'loss_cls':
        counted = (row_weights(calls[term][0]) > 0).float().split(lengths)
        own = torch.stack([part.sum() for part in counted])
    return row_losses(calls[term], to_images, own.clamp(min=1), shares)


def _by_name(noted: list[LossCall]) -> Calls:
    calls: Calls = defaultdict(list)
    for call in noted:
        calls[call.name].append(call)
    return calls


def _counts(counts: list, calls: Calls) -> Tensor:
    """Float32 (N,) on the device of the outputs."""
    device = next(c[0].args[0].device for c in calls.values() if c)
    return torch.tensor(counts, dtype=torch.float32, device=device)


def _box_head_alone(name: str, head: nn.Module) -> nn.Module:
    """The box head, if it is one whose rows are known.

    Raises:
        UnsupportedModelError: It is another one, or there is a mask head.
    """
    if head.with_mask:
        raise UnsupportedModelError(
            f'no per-image losses for {name}.mask_head='
            f'{type(head.mask_head).__name__}; supported: box heads alone'
        )
    bbox_head = cast(nn.Module, head.bbox_head)
    needed = ('loss_and_target', 'loss', 'get_targets', '_get_targets_single')
    if not inherits(type(bbox_head), BBoxHead, needed):
        raise UnsupportedModelError(
            f'no per-image losses for {name}.bbox_head='
            f'{type(bbox_head).__name__}; supported: BBoxHead and subclasses '
            'that keep its loss'
        )
    return bbox_head
