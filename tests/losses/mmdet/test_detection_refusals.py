"""Detectors whose heads or losses are refused."""

from typing import Any

import pytest
import torch
from mmdet.models.losses import GHMC
from mmdet.models.roi_heads import StandardRoIHead
from torch import Tensor, nn

from det_cases import BOXES, SIZES, data_of, run
from ies_mm.errors import UnsupportedModelError
from ies_mm.losses import capture_per_image_losses, check_supported
from small import build, faster_rcnn_config


def test_unsupported_heads_are_named_with_what_is_supported(
    model: nn.Module,
) -> None:
    class OwnRoIHead(StandardRoIHead):
        def bbox_loss(self, *args: Any) -> dict:
            return super().bbox_loss(*args)

    model.roi_head.__class__ = OwnRoIHead
    message = (
        'no per-image losses for roi_head=OwnRoIHead; '
        'supported heads: .*RPNHead, .*StandardRoIHead'
    )
    with pytest.raises(UnsupportedModelError, match=message):
        check_supported(model)


@pytest.mark.parametrize('part', ['rpn_head', 'roi_head'])
def test_losses_that_weight_images_by_each_other_are_refused(
    model: nn.Module, part: str
) -> None:
    head = getattr(model, part)
    getattr(head, 'bbox_head', head).loss_cls = GHMC()
    data = data_of(model, SIZES, BOXES)
    with (
        pytest.raises(UnsupportedModelError, match='=GHMC weights every'),
        capture_per_image_losses(model),
    ):
        run(model, data)


def test_a_loss_outside_the_heads_is_refused(model: nn.Module) -> None:
    original = model.loss

    def loss(*args: Any) -> dict:
        return original(*args) | {'loss_extra': torch.zeros(())}

    model.loss = loss
    data = data_of(model, SIZES, BOXES)
    with (
        pytest.raises(UnsupportedModelError, match='computes loss_extra'),
        capture_per_image_losses(model),
    ):
        run(model, data)


def test_a_loss_of_several_terms_is_refused() -> None:
    config = faster_rcnn_config()
    config.roi_head.bbox_head.loss_cls = dict(type='SeesawLoss', num_classes=4)
    config.roi_head.bbox_head.cls_predictor_cfg = dict(type='NormedLinear')
    model = build(config)
    data = data_of(model, SIZES, BOXES)
    with (
        pytest.raises(
            UnsupportedModelError, match='computes loss_cls_objectness'
        ),
        capture_per_image_losses(model),
    ):
        run(model, data)


def test_a_subclass_that_changes_the_loss_is_refused(model: nn.Module) -> None:
    class OtherLoss(type(model.rpn_head)):
        def loss_by_feat(self, *args: Any, **kwargs: Any) -> dict:
            return super().loss_by_feat(*args, **kwargs)

    class SameLoss(type(model.rpn_head)):
        pass

    model.rpn_head.__class__ = SameLoss
    check_supported(model)
    model.rpn_head.__class__ = OtherLoss
    with pytest.raises(UnsupportedModelError, match='rpn_head=OtherLoss'):
        check_supported(model)


def test_a_model_that_multiplies_its_batch_is_refused(
    model: nn.Module,
) -> None:
    """Like TridentNet, whose heads get every image three times."""
    loss = model.rpn_head.loss_and_predict

    def thrice(
        feats: tuple[Tensor, ...], samples: list, *args: Any, **kwargs: Any
    ) -> tuple:
        feats = tuple(torch.cat([level] * 3) for level in feats)
        losses, results = loss(feats, samples * 3, *args, **kwargs)
        return losses, results[: len(samples)]

    model.rpn_head.loss_and_predict = thrice
    with (
        capture_per_image_losses(model),
        pytest.raises(
            UnsupportedModelError, match=r'of \[4, 12\] images from'
        ),
    ):
        run(model, data_of(model, SIZES, BOXES))
