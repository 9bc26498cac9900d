"""Per-image losses of mmdet's two-stage detectors.

The heads return averages over the batch, with normalisers counted over the
batch. Here the head's own loss function is called once more for each image,
on slices of the same outputs and with the assignments and random samples of
the batch call: what comes out is what the function gives for the image alone,
whatever the function is. docs/design.md says what that costs.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from inspect import signature
from typing import Any

import torch
from mmdet.models.dense_heads import RPNHead
from mmdet.models.roi_heads import StandardRoIHead
from torch import Tensor, nn

from ies_mm.errors import UnsupportedModelError
from ies_mm.losses.base import Losses, Note, register_adapter
from ies_mm.losses.patching import override
from ies_mm.losses.replay import (
    kept_buffers,
    noted_draws,
    noted_normalisers,
)

Alone = Callable[[int], Losses]
PER_IMAGE = (
    'batch_gt_instances',
    'batch_img_metas',
    'batch_gt_instances_ignore',
)


@register_adapter(RPNHead, relies_on=('loss', 'loss_and_predict'))
@contextmanager
def dense_head(
    name: str, head: nn.Module, shares: bool, note: Note
) -> Iterator[None]:
    """Adapter for dense heads: wraps ``head.loss_by_feat``."""

    def loss_by_feat(original: Callable, *args: Any, **kwargs: Any) -> dict:
        inputs = signature(original).bind(*args, **kwargs).arguments
        truths = inputs['batch_gt_instances']

        def alone(image: int) -> Losses:
            return original(**_image_inputs(inputs, image))

        with noted_draws(head, truths) as draws, _factors(head, shares) as f:
            batch = original(*args, **kwargs)
            with kept_buffers(head):
                draws.rewind()
                losses = _per_image(alone, len(truths), batch)
                draws.rewind()
                parts = _shares(alone, len(truths), batch, f)
        note(name, losses, parts)
        return batch

    with override(head, 'loss_by_feat', loss_by_feat):
        yield


@register_adapter(StandardRoIHead, relies_on=('loss', 'bbox_loss'))
@contextmanager
def roi_head(
    name: str, head: nn.Module, shares: bool, note: Note
) -> Iterator[None]:
    """Adapter for RoI heads: wraps ``head.bbox_head.loss_and_target``."""
    if head.with_mask:
        raise UnsupportedModelError(
            f'no per-image losses for {name}.mask_head='
            f'{type(head.mask_head).__name__}; supported: box heads alone'
        )

    def loss_and_target(original: Callable, **kwargs: Any) -> dict:
        pieces = _roi_inputs(**kwargs)

        def alone(image: int) -> Losses:
            return original(**pieces[image])['loss_bbox']

        with _factors(head.bbox_head, shares) as factors:
            result = original(**kwargs)
            batch = result['loss_bbox']
            with kept_buffers(head.bbox_head):
                losses = _per_image(alone, len(pieces), batch)
                parts = _shares(alone, len(pieces), batch, factors)
        note(name, losses, parts)
        return result

    with override(head.bbox_head, 'loss_and_target', loss_and_target):
        yield


def _factors(head: nn.Module, shares: bool) -> Any:
    return noted_normalisers(head) if shares else nullcontext()


def _per_image(alone: Alone, images: int, batch: dict) -> Losses:
    with torch.no_grad():
        rows = [_scalars(alone(image)) for image in range(images)]
    return {
        term: value.detach().float()
        for term, value in _stacked(rows, batch).items()
    }


def _shares(alone: Alone, images: int, batch: dict, factors: Any) -> Losses:
    if factors is None:
        return {}
    rows = []
    for image in range(images):
        factors.rewind()
        rows.append(_scalars(alone(image)))
    return _stacked(rows, batch)


def _stacked(rows: list[Losses], batch: dict) -> Losses:
    """One dict per image -> one (N,) tensor per term of the batch.

    A term that an image lacks (it has no RoI at all, say) is 0 for it.
    """
    stacked = {}
    for term, value in _scalars(batch).items():
        zero = torch.zeros_like(value)
        stacked[term] = torch.stack([row.get(term, zero) for row in rows])
    return stacked


def _scalars(losses: dict) -> Losses:
    """The loss terms, summed over levels as ``parse_losses`` does it."""
    return {
        term: value.mean()
        if isinstance(value, Tensor)
        else torch.stack([level.mean() for level in value]).sum()
        for term, value in losses.items()
        if 'loss' in term
    }


def _image_inputs(inputs: dict, image: int) -> dict:
    """Arguments of ``loss_by_feat`` for one image of the batch."""
    return {
        name: (value and [value[image]])
        if name in PER_IMAGE
        else _image_slice(value, image)
        for name, value in inputs.items()
    }


def _image_slice(outputs: Any, image: int) -> Any:
    if isinstance(outputs, Tensor):
        return outputs[image : image + 1]
    return [_image_slice(level, image) for level in outputs]


def _roi_inputs(
    cls_score: Tensor,
    bbox_pred: Tensor,
    rois: Tensor,
    sampling_results: list,
    **others: Any,
) -> list[dict]:
    """Arguments of ``loss_and_target`` for each image of the batch.

    RoIs stand image after image, so lengths split them without a look at
    their values, which would wait for the GPU.
    """
    counts = [len(result.priors) for result in sampling_results]
    rows = zip(
        cls_score.split(counts),
        bbox_pred.split(counts),
        rois.split(counts),
        sampling_results,
        strict=True,
    )
    return [
        {
            'cls_score': scores,
            'bbox_pred': boxes,
            'rois': torch.cat([torch.zeros_like(roi[:, :1]), roi[:, 1:]], 1),
            'sampling_results': [result],
            **others,
        }
        for scores, boxes, roi, result in rows
    ]
