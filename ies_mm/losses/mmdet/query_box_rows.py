"""Per-image losses of Sparse R-CNN's box heads, by rows.

All three terms are sums over all or only the matched proposals, divided by
the number of matched proposals of the batch. The loss of an image alone is
divided by its own number or, as in mmdet, by epsilon if none is matched.

Source: mmdet's ``DIIHead`` and ``weight_reduce_loss``.
"""

import torch
from mmdet.models.roi_heads.bbox_heads import DIIHead
from torch import Tensor, nn

from ies_mm.losses.capture.registry import inherits
from ies_mm.losses.rows.rows import EPS, Calls, counts, row_losses
from ies_mm.losses.tracing.origin import in_order

QUERY_TERMS = ('loss_cls', 'loss_bbox', 'loss_iou')

_RELIES_ON = ('loss_and_target', 'get_targets', '_get_targets_single')


def has_query_rows(bbox_head: nn.Module) -> bool:
    """Whether a box head inherits the losses of ``DIIHead``."""
    return inherits(type(bbox_head), DIIHead, _RELIES_ON)


def query_term(
    term: str, calls: Calls, samples: list, shares: bool
) -> tuple[Tensor, Tensor | None]:
    """Losses and shares of a term, as in :func:`.box_rows.roi_term`."""
    positives = [len(sample.pos_priors) for sample in samples]
    lengths = positives
    if term == 'loss_cls':
        lengths = [len(sample.priors) for sample in samples]
    if not calls[term]:
        zeros = torch.zeros(len(samples), device=samples[0].priors.device)
        return zeros, zeros if shares else None

    own = counts(positives, calls) + EPS
    return row_losses(calls[term], in_order(lengths).sums, own, shares)
