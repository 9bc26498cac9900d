"""Losses of segmentors that are refused."""

from typing import Any

import pytest
from mmseg.models.decode_heads import FCNHead, IterativeDecodeHead
from mmseg.models.losses import CrossEntropyLoss
from torch import Tensor

from ies_mm.errors import UnsupportedModelError
from ies_mm.losses import check_supported
from loss_checks import hooks, patched
from seg_cases import CONFIGS, MARKS, build, ce, lovasz
from small_seg import head_config, segmentor_config

pytestmark = MARKS


class OtherCrossEntropy(CrossEntropyLoss):
    def forward(self, *args: Any, **kwargs: Any) -> Tensor:
        return super().forward(*args, **kwargs) ** 2


class OtherLossHead(FCNHead):
    def loss_by_feat(self, *args: Any, **kwargs: Any) -> dict:
        return super().loss_by_feat(*args, **kwargs)


class SameLossHead(FCNHead):
    pass


USE = 'use CrossEntropyLoss .with an OHEMPixelSampler'


@pytest.mark.parametrize(
    ('loss', 'message'),
    [
        (
            lovasz(per_image=False, reduction='none'),
            'LovaszLoss with per_image=False .* use LovaszLoss.per_image=True',
        ),
        (ce(use_mask=True), 'CrossEntropyLoss .*' + USE),
        (
            ce(reduction='none'),
            "CrossEntropyLoss with reduction='none': .*'mean' or 'sum'",
        ),
        (
            lovasz(reduction='none'),
            "LovaszLoss with reduction='none': .*'mean' or 'sum'",
        ),
    ],
)
def test_losses_without_a_value_per_image_are_refused(
    loss: dict, message: str
) -> None:
    """In any head, and before anything is computed."""
    model = build(segmentor_config(head_config([ce(), loss])))
    match = 'decode_head.loss_decode.1=' + message
    with pytest.raises(UnsupportedModelError, match=match):
        check_supported(model)
    assert patched(model) == hooks(model) == []
    aux = [head_config(), head_config(loss, stage=0)]
    model = build(segmentor_config(head_config(), aux))
    match = 'auxiliary_head.1.loss_decode=' + message
    with pytest.raises(UnsupportedModelError, match=match):
        check_supported(model)


def test_a_loss_class_with_another_forward_is_refused() -> None:
    model = build(CONFIGS['ce'])
    model.decode_head.loss_decode.__class__ = OtherCrossEntropy
    with pytest.raises(UnsupportedModelError, match='=OtherCrossEntropy'):
        check_supported(model)


class OtherKernels(IterativeDecodeHead):
    def loss_by_feat(self, *args: Any, **kwargs: Any) -> dict:
        return super().loss_by_feat(*args, **kwargs)


def test_a_head_that_computes_its_losses_itself_is_refused() -> None:
    model = build(CONFIGS['knet'])
    inner = model.decode_head.kernel_generate_head
    inner.__class__ = OtherLossHead
    with pytest.raises(
        UnsupportedModelError,
        match=r'for decode_head\.kernel_generate_head=OtherLossHead; ',
    ):
        check_supported(model)
    inner.__class__ = SameLossHead
    check_supported(model)
    model.decode_head.__class__ = OtherKernels
    with pytest.raises(
        UnsupportedModelError, match='for decode_head=OtherKernels'
    ):
        check_supported(model)


def test_a_subclass_that_changes_the_loss_is_refused() -> None:
    model = build(CONFIGS['aux'])
    model.auxiliary_head.__class__ = SameLossHead
    check_supported(model)
    model.auxiliary_head.__class__ = OtherLossHead
    with pytest.raises(UnsupportedModelError, match='=OtherLossHead'):
        check_supported(model)
