"""Per-image losses of mmseg's decode heads, by pixels.

The values that the loss modules reduced are summed image by image, see
:mod:`ies_mm.losses.mmseg.pixels`. One adapter serves every head that passes
logits and label maps of the batch to its loss modules:

=================  ==========================================================
BaseDecodeHead     all decode and auxiliary heads with its ``loss_by_feat``
DAHead, EncHead,   several terms, each returned by a loss module
DDRHead, PIDHead
IterativeDecode-   K-Net's stages, computed by its ``kernel_generate_head``
Head
PointHead          the points sampled in the batch
STDCHead           edge maps
VPDDepthHead       depth maps
=================  ==========================================================

For heads that match masks see :mod:`ies_mm.losses.mmseg.mask_heads`.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import torch
from mmseg.models.decode_heads import (
    DAHead,
    DDRHead,
    EncHead,
    IterativeDecodeHead,
    PIDHead,
    PointHead,
    STDCHead,
    VPDDepthHead,
)
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from torch import nn

from ies_mm.errors import UnsupportedModelError
from ies_mm.losses.capture.calls import LossCall, loss_modules, noted_calls
from ies_mm.losses.capture.patching import override
from ies_mm.losses.capture.registry import (
    Note,
    Wanted,
    find_adapter,
    register_adapter,
)
from ies_mm.losses.mmseg.pixels import added, check_loss, split


@register_adapter(
    BaseDecodeHead,
    DAHead,
    DDRHead,
    EncHead,
    PIDHead,
    PointHead,
    STDCHead,
    VPDDepthHead,
    relies_on=('loss_by_feat',),
)
@contextmanager
def decode_head(
    name: str, head: nn.Module, want: Wanted, note: Note
) -> Iterator[None]:
    """Adapter for decode and auxiliary heads: wraps ``head.loss_by_feat``."""
    with _by_pixels(name, head, head, want, note):
        yield


@register_adapter(IterativeDecodeHead, relies_on=('loss_by_feat',))
@contextmanager
def iterative_head(
    name: str, head: nn.Module, want: Wanted, note: Note
) -> Iterator[None]:
    """Adapter for K-Net's head, whose losses an inner head computes."""
    inner = cast(nn.Module, head.kernel_generate_head)
    # Called for its refusal: the inner head computes the losses.
    find_adapter(f'{name}.kernel_generate_head', inner)
    with _by_pixels(name, head, inner, want, note):
        yield


@contextmanager
def _by_pixels(
    name: str, head: nn.Module, owner: nn.Module, want: Wanted, note: Note
) -> Iterator[None]:
    """Record the terms of ``head``, from the loss modules of ``owner``."""
    for child, module in loss_modules(owner).items():
        check_loss(f'{name}.{child}', module)
    prefix = prefix_of(name)

    def loss_by_feat(original: Callable, *args: Any, **kwargs: Any) -> dict:
        with noted_calls(owner) as noted:
            batch = original(*args, **kwargs)
        first_void = None
        for term, calls in _by_term(batch, noted).items():
            with torch.set_grad_enabled(
                want.shares and torch.is_grad_enabled()
            ):
                parts = [split(call, want.shares) for call in calls]
                losses, shares, void = added(parts, want.shares)
            # A term may drop pixels depending on predictions (PIDNet). An
            # image is void only if the first term has no valid pixel either.
            first_void = void if first_void is None else first_void
            note(f'{prefix}.{term}', losses, shares, void & first_void)
        return batch

    with override(head, 'loss_by_feat', loss_by_feat):
        yield


def _by_term(
    batch: dict[str, Any], noted: list[LossCall]
) -> dict[str, list[LossCall]]:
    """The calls behind each value of a head's loss dict.

    A value is the same tensor object that a call returned; further losses of
    the same name were added to it in place.
    """
    calls: dict[str, list[LossCall]] = {}
    latest: dict[str, str] = {}
    for call in noted:
        if call.kwargs.get('reduction_override') == 'none':
            continue  # From OHEM's sampler, to rank the pixels.
        name = str(call.module.loss_name)
        for term, value in batch.items():
            if value is call.output:
                calls[term] = []
                latest[name] = term
        if name in latest:
            calls[latest[name]].append(call)
    return calls


def prefix_of(name: str) -> str:
    """``decode_head.1`` -> ``decode_1``, as the segmentors name their terms.

    Raises:
        UnsupportedModelError: The decode head has an unknown name.
    """
    child, _, number = name.partition('.')
    known = {'decode_head': 'decode', 'auxiliary_head': 'aux'}
    if child not in known:
        raise UnsupportedModelError(
            f'no per-image losses for a decode head at {name}; supported: '
            'decode_head and auxiliary_head'
        )
    return known[child] + (f'_{number}' if number else '')
