"""Per-image losses of mmdet's RPN, by rows.

The head returns averages over the batch, with normalisers counted over the
batch. An image alone would be divided by its own count instead:

=============  ============================  ====================
term           rows                          divided by
=============  ============================  ====================
loss_rpn_cls   sampled anchors, all levels   the anchors sampled
loss_rpn_bbox  positive anchors              the anchors sampled
=============  ============================  ====================

The general adapter (:mod:`ies_mm.losses.dense`) would be right too, but assign
all anchors again. Source: mmdet's ``AnchorHead`` and ``RPNHead``.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from mmdet.models.dense_heads import RPNHead
from torch import Tensor, nn

from ies_mm.losses.base import Note, Wanted, register_adapter
from ies_mm.losses.calls import LossCall, noted_calls
from ies_mm.losses.expected import (
    draws_at_random,
    expected_calls,
    noted_draws,
)
from ies_mm.losses.patching import override
from ies_mm.losses.rows import by_name, counts, row_losses


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
        calls = by_name(noted)
        images = len(draws)
        sampled = counts([draw.sample.avg_factor for draw in draws], calls)

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
