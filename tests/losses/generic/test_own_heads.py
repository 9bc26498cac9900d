"""Heads of a user's own, with the adapter that docs/adapters.md documents."""

from collections import namedtuple
from typing import Any

import pytest
import torch
from mmengine.structures import InstanceData
from torch import Tensor, nn

from ies_mm.errors import UnsupportedModelError
from ies_mm.losses.capture.captured import CapturedLosses
from ies_mm.losses.capture.registry import Wanted
from ies_mm.losses.capture.terms import terms_of
from ies_mm.losses.generic.by_image import asked_by_image
from ies_mm.losses.mmdet.dense_heads import slices_of

Outputs = namedtuple('Outputs', ['scores', 'boxes'])
OBJECTS = (True, False, True)


class Head(nn.Module):
    """Scores of all images, boxes of those with an object."""

    def loss_by_feat(
        self, outputs: Any, batch_gt_instances: list, batch_img_metas: list
    ) -> dict[str, Tensor]:
        if isinstance(outputs, dict):
            outputs = outputs['scores'], outputs['boxes']
        scores, boxes = outputs
        found = torch.tensor([len(g) > 0 for g in batch_gt_instances])
        return {
            'loss_cls': (scores.float() - found[:, None].float()).square()
            .mean(),
            # The mean over no image is NaN.
            'loss_bbox': boxes[found].float().square().mean(),
        }  # fmt: skip


class ChangesOutputs(Head):
    """Scales its boxes in place."""

    def loss_by_feat(
        self, outputs: Any, batch_gt_instances: list, batch_img_metas: list
    ) -> Any:
        outputs[1].mul_(2)
        return super().loss_by_feat(
            outputs, batch_gt_instances, batch_img_metas
        )


class ChangesTargets(Head):
    """Scales its targets in place."""

    def loss_by_feat(
        self, outputs: Any, batch_gt_instances: list, batch_img_metas: list
    ) -> Any:
        for instances in batch_gt_instances:
            instances.bboxes.div_(64)
        return super().loss_by_feat(
            outputs, batch_gt_instances, batch_img_metas
        )


def samples() -> list[InstanceData]:
    return [InstanceData(bboxes=torch.ones(int(o), 4)) for o in OBJECTS]


def outputs_of(kind: str, dtype: torch.dtype = torch.float32) -> Any:
    torch.manual_seed(0)
    leaves = [torch.randn(3, size, requires_grad=True) for size in (5, 4)]
    scores, boxes = (leaf.to(dtype) * 1 for leaf in leaves)
    if kind == 'dict':
        return dict(scores=scores, boxes=boxes)
    if kind == 'named tuple':
        return Outputs(scores, boxes)
    return scores, boxes


def captured(head: Head, outputs: Any) -> tuple[CapturedLosses, dict]:
    found = CapturedLosses()
    with asked_by_image(
        head,
        'loss_by_feat',
        slices_of(head.loss_by_feat),
        terms_of,
        Wanted(shares=True),
        found.note,
    ):
        metas: list[dict] = [{}] * len(OBJECTS)
        losses = head.loss_by_feat(outputs, samples(), metas)
    return found, losses


@pytest.mark.parametrize('kind', ['tuple', 'dict', 'named tuple'])
def test_outputs_may_be_in_dicts_and_named_tuples(kind: str) -> None:
    found, _ = captured(Head(), outputs_of(kind))
    scores, boxes = outputs_of('tuple')
    wanted = torch.tensor(OBJECTS)[:, None].float()
    own = (scores - wanted).square().mean(dim=1)
    torch.testing.assert_close(found.losses['loss_cls'], own.detach())
    torch.testing.assert_close(found.shares['loss_cls'], own / 3)
    own = boxes.square().mean(dim=1) * wanted[:, 0]
    observed = found.losses['loss_bbox'].nan_to_num()
    torch.testing.assert_close(observed, own.detach())
    torch.testing.assert_close(found.shares['loss_bbox'], own / 2)


def test_an_image_without_a_term_gives_the_others_no_nan() -> None:
    outputs = outputs_of('tuple')
    found, losses = captured(Head(), outputs)
    assert found.missing['loss_bbox'].tolist() == [False, True, False]
    assert 'loss_cls' not in found.missing
    weighted = losses['loss_bbox'] + found.shares['loss_bbox'][0]
    [gradient] = torch.autograd.grad(weighted, [outputs[1]])
    assert weighted.isfinite()
    assert gradient.isfinite().all()


@pytest.mark.parametrize('kind', [ChangesOutputs, ChangesTargets])
def test_a_head_that_changes_its_arguments_is_refused(
    kind: type[Head],
) -> None:
    with pytest.raises(UnsupportedModelError, match='arguments in place'):
        captured(kind(), outputs_of('tuple'))


@pytest.mark.parametrize('size', [1.0, 1e-6, 1e4])
def test_shares_in_half_precision(size: float) -> None:
    """Gradients of small means underflow there, those of sums overflow."""

    class Scaled(Head):
        def loss_by_feat(
            self, outputs: Any, batch_gt_instances: list, batch_img_metas: list
        ) -> Any:
            found = super().loss_by_feat(
                outputs, batch_gt_instances, batch_img_metas
            )
            return {name: value * size for name, value in found.items()}

    found, losses = captured(Scaled(), outputs_of('tuple', torch.float16))
    for term, loss in losses.items():
        torch.testing.assert_close(
            found.shares[term].sum(), loss, rtol=2e-3, atol=0
        )
