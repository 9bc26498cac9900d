"""Losses of classifiers that are refused."""

from typing import Any

import pytest
import torch.nn.functional as F
from mmpretrain.models.heads import (
    EfficientFormerClsHead,
    LinearClsHead,
    MultiLabelLinearClsHead,
)
from torch import Tensor, nn

from cls_cases import CE, HAS_REGRESSION, SEESAW, SMOOTH, data_of
from ies_mm.errors import UnsupportedModelError
from ies_mm.losses import capture_per_image_losses, check_supported
from loss_checks import run
from small_cls import CHANNELS, CLASSES, build_classifier, cls_head_config


@pytest.mark.parametrize('reduction', ['sum', 'none'])
@pytest.mark.parametrize('loss', [CE, SMOOTH, SEESAW])
def test_a_loss_that_is_no_mean_is_refused(loss: dict, reduction: str) -> None:
    model = build_classifier(cls_head_config(loss | dict(reduction=reduction)))
    match = (
        f"head.loss_module={loss['type']} with reduction='{reduction}': "
        "per-image losses need reduction='mean'"
    )
    with pytest.raises(UnsupportedModelError, match=match):
        check_supported(model)


class OtherLinear(LinearClsHead):
    def _get_loss(self, *args: Any, **kwargs: Any) -> dict:
        return super()._get_loss(*args, **kwargs)


class OtherMultiLabel(MultiLabelLinearClsHead):
    def loss(self, *args: Any, **kwargs: Any) -> dict:
        return super().loss(*args, **kwargs)


class OtherEfficientFormer(EfficientFormerClsHead):
    def _get_loss(self, *args: Any, **kwargs: Any) -> dict:
        return super()._get_loss(*args, **kwargs)


class SameLoss(LinearClsHead):
    def forward(self, feats: tuple) -> Tensor:
        return super().forward(feats) * 2


@pytest.mark.parametrize(
    'head', [OtherLinear, OtherMultiLabel, OtherEfficientFormer]
)
def test_a_subclass_that_changes_the_loss_is_refused(head: type) -> None:
    model = build_classifier(head(CLASSES, CHANNELS))
    match = f'for head={head.__name__}; supported heads: .*ClsHead'
    with pytest.raises(UnsupportedModelError, match=match):
        check_supported(model)


def test_a_subclass_with_the_same_loss_is_not_refused() -> None:
    check_supported(build_classifier(SameLoss(CLASSES, CHANNELS)))


class OneNumber(nn.Module):
    """A loss that averages whatever reduction it is asked for."""

    reduction = 'mean'

    def forward(self, scores: Tensor, labels: Tensor, **kwargs: Any) -> Tensor:
        return F.cross_entropy(scores, labels)


def test_a_loss_that_gives_one_number_only_is_refused() -> None:
    head = LinearClsHead(CLASSES, CHANNELS, loss=OneNumber())
    model = build_classifier(head)
    with (
        pytest.raises(
            UnsupportedModelError, match='OneNumber gives no loss per image'
        ),
        capture_per_image_losses(model),
    ):
        run(model, data_of(model))


@pytest.mark.skipif(not HAS_REGRESSION, reason='mmpretrain has no regression')
@pytest.mark.filterwarnings('ignore:Using a target size')
def test_a_regression_that_compares_every_pair_is_refused() -> None:
    """mmpretrain broadcasts (N, 1) outputs against (N,) labels."""
    head = cls_head_config(type='LinearRegressionHead', num_classes=1)
    model = build_classifier(head)
    with (
        pytest.raises(
            UnsupportedModelError, match='RegressionLoss gives no loss per'
        ),
        capture_per_image_losses(model),
    ):
        run(model, data_of(model, 'number'))
