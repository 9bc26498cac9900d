"""Per-image losses of mmdet's RPN and RetinaNet heads, by rows.

The heads return averages over the batch, divided by counts of the batch. The
loss of an image alone is divided by its own count instead:

==========  ============================  ===========================
term        rows                          divided by
==========  ============================  ===========================
loss_cls    sampled anchors, all levels   sampled anchors; without a
loss_bbox   positive anchors              sampler, positive anchors
==========  ============================  ===========================

The RPN calls them ``loss_rpn_cls`` and ``loss_rpn_bbox``. The general adapter
(:mod:`ies_mm.losses.mmdet.dense_heads`) would also be correct, but would
assign all anchors again.
Source: mmdet's ``AnchorHead`` and ``RPNHead``.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from mmdet.models.dense_heads import AnchorHead, RPNHead
from torch import Tensor

from ies_mm.losses.capture.calls import noted_calls
from ies_mm.losses.capture.patching import override
from ies_mm.losses.capture.registry import (
    Note,
    Wanted,
    inherits,
    register_adapter,
)
from ies_mm.losses.mmdet.batch_losses import check_losses
from ies_mm.losses.mmdet.dense_heads import dense_head
from ies_mm.losses.rows.rows import by_name, counts, row_losses

_ROWS = ('loss_by_feat_single', 'get_targets', '_get_targets_single')


@register_adapter(AnchorHead, relies_on=('loss_by_feat',))
def anchor_head(
    name: str, head: Any, want: Wanted, note: Note
) -> AbstractContextManager[None]:
    """Adapter for anchor heads, by rows if possible, else by image."""
    if inherits(type(head), AnchorHead, _ROWS):
        return _anchor_rows(name, head, want, note)
    return dense_head(name, head, want, note)


@register_adapter(RPNHead, relies_on=('loss_and_predict', 'loss_by_feat'))
def rpn_head(
    name: str, head: Any, want: Wanted, note: Note
) -> AbstractContextManager[None]:
    """Adapter for RPN heads, by rows if possible, else by image."""
    return anchor_head(name, head, want, note)


@contextmanager
def _anchor_rows(
    name: str, head: Any, want: Wanted, note: Note
) -> Iterator[None]:
    check_losses(name, head)
    rpn = isinstance(head, RPNHead)
    # Two-stage detectors add 'rpn_' to terms of an RPN that lack 'rpn'.
    prefix = 'rpn_' if name == 'rpn_head' and not rpn else ''
    term = f'{prefix}loss_rpn_' if rpn else f'{prefix}loss_'

    def loss_by_feat(original: Callable, *args: Any, **kwargs: Any) -> dict:
        with _noted_samples(head) as samples, noted_calls(head) as noted:
            batch = original(*args, **kwargs)
        calls = by_name(noted)
        # Python numbers that mmdet has counted: nothing is read back.
        sampled = counts([sample.avg_factor for sample in samples], calls)

        def to_images(rows: Tensor) -> Tensor:
            # Rows of a level are ordered by image, equally many for each.
            return rows.view(len(samples), -1).sum(dim=1)

        for kind in ('bbox', 'cls'):
            rows = calls[f'loss_{kind}']
            noted_losses = row_losses(rows, to_images, sampled, want.shares)
            note(f'{term}{kind}', *noted_losses)
        return batch

    with override(head, 'loss_by_feat', loss_by_feat):
        yield


@contextmanager
def _noted_samples(head: Any) -> Iterator[list[Any]]:
    """Record mmdet's SamplingResult of every image, in batch order."""
    samples: list[Any] = []

    def sample(original: Callable, *args: Any, **kwargs: Any) -> Any:
        samples.append(original(*args, **kwargs))
        return samples[-1]

    with override(head.sampler, 'sample', sample):
        yield samples
