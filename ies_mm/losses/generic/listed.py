"""Per-image losses of heads that compute their loss image by image.

These heads return a list with one value per image, each divided by a count of
the batch. That value is the image's share; divided by the image's own count
instead, it is the loss of the image alone.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from mmdet.models import dense_heads as heads

from ies_mm.losses.capture.patching import override
from ies_mm.losses.capture.registry import Note, Wanted, inherits

_RELIES_ON = ('loss_by_feat', 'get_targets', '_get_targets_single')


def is_listed(head: Any) -> bool:
    """Whether a head returns a list with one value per image."""
    if inherits(type(head), heads.YOLACTHead, _RELIES_ON):
        return bool(head.use_ohem)
    return any(
        inherits(
            type(head), base, tuple(m for m in _RELIES_ON if m in dir(base))
        )
        for base in (heads.SSDHead, heads.YOLACTProtonet)
    )


@contextmanager
def asked_by_list(head: Any, want: Wanted, note: Note) -> Iterator[None]:
    """Record per-image losses whenever the head computes its losses.

    Args:
        head (Module): A head for which :func:`is_listed` holds.
        want (Wanted): What to provide.
        note (callable): See
            :meth:`~ies_mm.losses.context.CapturedLosses.note`.
    """
    own = _masks if isinstance(head, heads.YOLACTProtonet) else _samples

    def loss_by_feat(original: Callable, *args: Any, **kwargs: Any) -> dict:
        with own(head) as counted:
            result = original(*args, **kwargs)
        for term, values in result.items():
            if 'loss' not in term:
                continue
            # parse_losses adds up the means of a list.
            shares = torch.stack([value.mean() for value in values])
            by_all, by_own = counted[term] if term in counted else counted['']
            factors = [by_all / max(one, 1) for one in by_own]
            alone = shares.detach().float()
            alone = alone * alone.new_tensor(factors)
            note(term, alone, shares if want.shares else None)
        return result

    with override(head, 'loss_by_feat', loss_by_feat):
        yield


Counted = dict[str, tuple[float, Sequence[float]]]
"""Term -> normaliser of the batch, and of each image alone."""


@contextmanager
def _samples(head: Any) -> Iterator[Counted]:
    """Count the sampled anchors of the batch and of every image."""
    counted: Counted = {}
    own: list[float] = []

    def sample(original: Callable, *args: Any, **kwargs: Any) -> Any:
        result = original(*args, **kwargs)
        own.append(result.avg_factor)
        counted[''] = sum(own), own
        return result

    with override(head.sampler, 'sample', sample):
        yield counted


@contextmanager
def _masks(head: Any) -> Iterator[Counted]:
    """Count the masks compared; a semantic map counts one per image."""
    counted: Counted = {}
    own: list[float] = []

    def targets(original: Callable, *args: Any, **kwargs: Any) -> Any:
        result = original(*args, **kwargs)
        own.append(result[3])
        # As in mmdet, which divides by 1 if the batch has no mask.
        counted['loss_mask'] = max(sum(own), 1), own
        counted['loss_segm'] = len(own), [1] * len(own)
        return result

    with override(head, '_get_targets_single', targets):
        yield counted
