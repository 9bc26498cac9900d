"""Per-image losses of mmdet's box heads, by rows.

A box head's losses are sums over RoIs, divided by counts of the batch. The
loss of an image alone is divided by its own:

=========  ==================  ======================
term       rows                divided by
=========  ==================  ======================
loss_cls   sampled RoIs        RoIs of weight > 0, at least 1
loss_bbox  positive RoIs       sampled RoIs
=========  ==================  ======================

Source: mmdet's ``BBoxHead``.
"""

import torch
from mmdet.models.roi_heads.bbox_heads import BBoxHead
from torch import Tensor, nn

from ies_mm.losses.capture.calls import LossCall
from ies_mm.losses.capture.registry import inherits
from ies_mm.losses.rows.rows import Calls, counts, row_losses, row_weights
from ies_mm.losses.tracing.origin import in_order

TERMS = ('loss_cls', 'loss_bbox')

_RELIES_ON = ('loss_and_target', 'loss', 'get_targets', '_get_targets_single')


def has_rows(bbox_head: nn.Module) -> bool:
    """Whether a box head inherits the losses of ``BBoxHead``."""
    return inherits(type(bbox_head), BBoxHead, _RELIES_ON)


def roi_term(
    term: str, calls: Calls, samples: list, shares: bool
) -> tuple[Tensor, Tensor | None]:
    """Losses and shares of ``loss_cls`` or ``loss_bbox``.

    RoIs are ordered by image, positives first, so lengths tell which image
    they belong to, without reading values and waiting for the GPU.

    Args:
        term (str): The term.
        calls (dict): The recorded calls of the head's loss modules.
        samples (list): mmdet's SamplingResult of every image.
        shares (bool): Whether to compute the shares.

    Returns:
        tuple: As :func:`~ies_mm.losses.rows.rows.row_losses`.
    """
    all_rows = [len(sample.priors) for sample in samples]
    positives = [len(sample.pos_priors) for sample in samples]
    lengths = all_rows if term == 'loss_cls' else positives

    if not calls[term]:
        # No positive RoI in the whole batch: mmdet skips the call.
        zeros = torch.zeros(len(samples), device=samples[0].priors.device)
        return zeros, zeros if shares else None
    own = counts(all_rows, calls)
    if term == 'loss_cls':
        own = _weighted_rows(calls[term][0], lengths)
    return row_losses(
        calls[term], in_order(lengths).sums, own.clamp(min=1), shares
    )


def _weighted_rows(call: LossCall, lengths: list[int]) -> Tensor:
    """Number of RoIs of weight > 0 of every image, float32 (N,)."""
    return in_order(lengths).sums(row_weights(call) > 0)
