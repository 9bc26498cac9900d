"""Per-image losses of mmdet's PISA RoI head.

Its box losses are weighted row by row (ISR-P, CARL), with weights normalised
over the batch. For an image alone they are normalised over the image, so its
losses are what ``bbox_loss`` returns for it, given the box head's outputs for
its RoIs in the batch. Its shares sum its rows of the batch losses, and are no
multiple of its own losses. Source: mmdet's ``PISARoIHead``, ``pisa_loss``.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, cast

import torch
from mmdet.models.roi_heads import PISARoIHead
from torch import Tensor

from ies_mm.losses.capture.calls import LossCall, Reductions, noted_calls
from ies_mm.losses.capture.patching import override
from ies_mm.losses.capture.processes import one_process
from ies_mm.losses.capture.registry import Note, Wanted, register_adapter
from ies_mm.losses.capture.terms import Terms, terms_of
from ies_mm.losses.generic.slicing import rows_of
from ies_mm.losses.mmdet.batch_losses import check_losses
from ies_mm.losses.mmdet.box_rows import TERMS, roi_term
from ies_mm.losses.mmdet.roi_heads import parts_of
from ies_mm.losses.rows.rows import by_name


@register_adapter(PISARoIHead, relies_on=('loss', 'bbox_loss', 'mask_loss'))
@contextmanager
def pisa_roi_head(
    name: str, head: Any, want: Wanted, note: Note
) -> Iterator[None]:
    """Adapter for ``PISARoIHead``: wraps ``head.bbox_loss``."""
    check_losses(name, head)

    def bbox_loss(
        original: Callable, x: Any, samples: list, neg_label_weights: list
    ) -> dict:
        with (
            noted_calls(head.bbox_head) as calls,
            Reductions() as reductions,
        ):
            results = original(x, samples, neg_label_weights=neg_label_weights)
        outputs = {k: v for k, v in results.items() if isinstance(v, Tensor)}
        # Shares come from the batch's own rows, so no graph is needed here.
        with torch.no_grad(), one_process():
            alone = [
                _alone(head, original, outputs, samples, neg_label_weights, i)
                for i in range(len(samples))
            ]
        for term in terms_of(results['loss_bbox']):
            losses = torch.stack([terms[term] for terms in alone])
            shares = None
            if want.shares:
                shares = _shares(term, calls, reductions.tensors[-1], samples)
            note(term, losses.float(), shares)
        return results

    with ExitStack() as stack:
        stack.enter_context(override(head, 'bbox_loss', bbox_loss))
        for part in parts_of(head):
            # bbox_loss above notes the terms of the box head.
            if part.head is not head.bbox_head:
                stack.enter_context(part.noted(want, note))
        yield


def _alone(
    head: Any,
    bbox_loss: Callable,
    outputs: dict[str, Tensor],
    samples: list,
    neg_label_weights: list,
    image: int,
) -> Terms:
    """The box losses of one image, from its rows of the batch's outputs."""
    own = rows_of(outputs, image, ([len(s.priors) for s in samples],))

    def given(original: Callable, *args: Any, **kwargs: Any) -> dict:
        # A new dict, as bbox_loss adds its losses to it.
        return dict(own)

    with override(head, '_bbox_forward', given):
        results = bbox_loss(
            None,
            [samples[image]],
            neg_label_weights=[neg_label_weights[image]],
        )
    return terms_of(results['loss_bbox'])


def _shares(
    term: str, calls: list[LossCall], summed_last: Tensor, samples: list
) -> Tensor:
    """The images' shares of a term; CARL's rows are the last summed."""
    if term in TERMS:
        # Calls without reduction only serve to compute the weights.
        final = [
            call
            for call in calls
            if call.kwargs.get('reduction_override') != 'none'
        ]
        return cast(Tensor, roi_term(term, by_name(final), samples, True)[1])
    positives = [len(sample.pos_priors) for sample in samples]
    if not sum(positives):
        return summed_last.new_zeros(len(samples))
    return torch.stack([rows.sum() for rows in summed_last.split(positives)])
