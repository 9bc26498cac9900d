"""The page on adapters: its code is run exactly as written."""

import copy
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from mmdet.models.dense_heads import RetinaHead
from mmengine.config import ConfigDict
from mmengine.registry import init_default_scope
from mmpretrain.models import ImageClassifier
from mmpretrain.structures import DataSample
from torch import Tensor, nn
from torch.testing import assert_close

from ies_mm.errors import UnsupportedModelError
from ies_mm.losses import capture_per_image_losses, check_supported
from ies_mm.losses.capture import registry
from ies_mm.losses.capture.terms import terms_of
from small import batch, build, faster_rcnn_config

PAGE = Path(__file__).parents[2] / 'docs' / 'adapters.md'


class MyDenseHead(RetinaHead):
    """A head with an additional term."""

    def loss_by_feat(
        self,
        cls_scores: list[Tensor],
        bbox_preds: list[Tensor],
        batch_gt_instances: list,
        batch_img_metas: list[dict],
        batch_gt_instances_ignore: list | None = None,
    ) -> dict:
        losses = super().loss_by_feat(
            cls_scores, bbox_preds, batch_gt_instances, batch_img_metas
        )
        squares = sum(score.square().mean() for score in cls_scores)
        return losses | {'loss_squares': squares}


class MyHead(nn.Module):
    """A classification head that is not mmpretrain's."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 3)

    def loss(self, feats: tuple[Tensor], samples: list, **_: Any) -> dict:
        labels = torch.cat([sample.gt_label for sample in samples])
        return {'loss_own': F.cross_entropy(self.fc(feats[-1]), labels)}


class Backbone(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(3, 4)

    def forward(self, images: Tensor) -> tuple[Tensor]:
        return (self.fc(images.flatten(2).mean(dim=2)),)


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the page's code defines; its adapters are removed afterwards."""
    heads = ModuleType('my_project.heads')
    heads.MyDenseHead, heads.MyHead = MyDenseHead, MyHead  # type: ignore
    monkeypatch.setitem(sys.modules, 'my_project', ModuleType('my_project'))
    monkeypatch.setitem(sys.modules, 'my_project.heads', heads)
    monkeypatch.setattr(registry, '_ADAPTERS', dict(registry._ADAPTERS))
    names = dict(
        copy=copy,
        terms_of=terms_of,
        assert_close=assert_close,
        capture_per_image_losses=capture_per_image_losses,
    )
    for code in re.findall(r'```python\n(.*?)```', PAGE.read_text(), re.S):
        exec(code, names)
    return names


@pytest.fixture
def detector() -> nn.Module:
    config = faster_rcnn_config()
    head = config.rpn_head
    head.type, head.num_classes = 'RetinaHead', 4
    head.loss_cls = dict(type='FocalLoss')
    assigner = config.train_cfg.rpn.assigner
    model = build(
        ConfigDict(
            type='RetinaNet',
            data_preprocessor=config.data_preprocessor,
            backbone=config.backbone,
            neck=config.neck,
            bbox_head=head,
            train_cfg=dict(
                assigner=assigner, allowed_border=-1, pos_weight=-1
            ),
        )
    )
    model.bbox_head.__class__ = MyDenseHead
    return model


@pytest.fixture
def classifier() -> nn.Module:
    init_default_scope('mmpretrain')
    torch.manual_seed(0)
    model = ImageClassifier(backbone=dict(type='ResNet', depth=18))
    model.backbone, model.head = Backbone(), MyHead()
    return model


def images_and_boxes(model: nn.Module) -> dict:
    return model.data_preprocessor(batch([(96, 128), (64, 80)], [1, 3]), True)


def images_and_labels() -> dict:
    torch.manual_seed(1)
    samples = [DataSample().set_gt_label(i) for i in (0, 2, 1)]
    return dict(inputs=torch.rand(3, 3, 8, 8), data_samples=samples)


def test_heads_of_ones_own_are_refused_without_an_adapter(
    detector: nn.Module, classifier: nn.Module
) -> None:
    for model in (detector, classifier):
        with pytest.raises(UnsupportedModelError, match='head=My'):
            check_supported(model)


def test_a_dense_head_of_ones_own(page: dict, detector: nn.Module) -> None:
    page['check'](detector, images_and_boxes(detector))


def test_any_head_of_ones_own(page: dict, classifier: nn.Module) -> None:
    page['check'](classifier, images_and_labels())


def test_the_pages_check_can_fail(page: dict, classifier: nn.Module) -> None:
    head = classifier.head
    loss = head.loss
    # Depends on the batch by more than a count.
    head.loss = lambda feats, samples, **kw: {
        'loss_own': loss(feats, samples)['loss_own'] * len(samples) ** 2
        + feats[-1].std(dim=0, unbiased=False).sum()
    }
    with pytest.raises(AssertionError):
        page['check'](classifier, images_and_labels())
