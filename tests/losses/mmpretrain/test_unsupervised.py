"""mmpretrain's models without per-image losses."""

import pytest
import torch
from mmengine.registry import init_default_scope
from mmpretrain.models import heads
from mmpretrain.registry import MODELS
from torch import nn

from ies_mm.errors import UnsupportedModelError
from ies_mm.losses import check_supported
from small_cls import RESNET, build_classifier, cls_head_config

SIMCLR = dict(
    type='SimCLR',
    backbone=RESNET,
    neck=dict(
        type='NonLinearNeck', in_channels=32, hid_channels=8, out_channels=8
    ),
    head=dict(
        type='ContrastiveHead',
        loss=dict(type='CrossEntropyLoss'),
        temperature=0.1,
    ),
)
REFUSED = [
    heads.BEiTV1Head,
    heads.BEiTV2Head,
    heads.CAEHead,
    heads.ContrastiveHead,
    heads.GroundingHead,
    heads.ITCHead,
    heads.ITMHead,
    heads.LatentCrossCorrelationHead,
    heads.LatentPredictHead,
    heads.MAEPretrainHead,
    heads.MIMHead,
    heads.MixMIMPretrainHead,
    heads.MoCoV3Head,
    heads.SeqGenerationHead,
    heads.SimMIMHead,
    heads.SparKPretrainHead,
    heads.SwAVHead,
    heads.VQAGenerationHead,
    heads.iTPNClipHead,
]


@pytest.mark.parametrize('fallback', [False, True])
def test_a_contrastive_model_is_refused(fallback: bool) -> None:
    init_default_scope('mmpretrain')
    model = MODELS.build(SIMCLR)
    match = (
        'for head=ContrastiveHead: its loss contrasts the images of the batch'
    )
    with pytest.raises(UnsupportedModelError, match=match):
        check_supported(model, fallback=fallback)


@pytest.mark.parametrize('head', REFUSED)
def test_heads_without_a_label_are_refused_with_a_reason(head: type) -> None:
    model = build_classifier(cls_head_config())
    model.head = type('Mine', (head,), dict(__init__=nn.Module.__init__))()
    with pytest.raises(UnsupportedModelError, match='head=Mine: its loss '):
        check_supported(model)


def test_what_is_refused_is_not_listed_as_supported() -> None:
    model = build_classifier(cls_head_config())
    model.head.__class__ = type(
        'Mine', (heads.LinearClsHead,), dict(loss=lambda self: torch.ones(()))
    )
    with pytest.raises(UnsupportedModelError, match='supported') as error:
        check_supported(model)
    assert 'ContrastiveHead' not in str(error.value)
    assert 'MultiTaskHead' in str(error.value)
