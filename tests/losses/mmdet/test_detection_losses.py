"""Per-image losses of Faster R-CNN against each image run alone."""

import copy
from typing import Any

import pytest
import torch
from mmdet.models.task_modules.samplers import RandomSampler
from torch import Tensor, nn

from det_cases import BOXES, SIZES, TERMS, data_of, run, total
from ies_mm.losses import capture_per_image_losses
from small import build, faster_rcnn_config


def alone(data: dict, image: int) -> dict:
    """One image of the padded batch."""
    return {
        'inputs': data['inputs'][image : image + 1],
        'data_samples': copy.deepcopy(data['data_samples'][image : image + 1]),
    }


@pytest.fixture
def seeded_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Random sampling that depends only on the image's boxes."""
    original = RandomSampler.sample

    def sample(
        self: Any, result: Any, pred: Any, gt: Any, **kwargs: Any
    ) -> Any:
        torch.manual_seed(int(gt.bboxes.sum() * 100))
        return original(self, result, pred, gt, **kwargs)

    monkeypatch.setattr(RandomSampler, 'sample', sample)


def check_against_each_image_alone(model: nn.Module, data: dict) -> None:
    with capture_per_image_losses(model, shares=True) as captured:
        batch_losses = run(model, data)
    assert list(captured.losses) == TERMS
    for term, share in captured.shares.items():
        torch.testing.assert_close(
            share.sum(), total(batch_losses[term]), rtol=1e-5, atol=1e-8
        )
    for image in range(len(SIZES)):
        expected = run(model, alone(data, image))
        for term, values in captured.losses.items():
            assert values.dtype == torch.float32
            torch.testing.assert_close(
                values[image],
                total(expected[term]).detach(),
                rtol=1e-5,
                atol=1e-7,
            )


@pytest.mark.usefixtures('seeded_draws')
def test_losses_are_those_of_each_image_alone(model: nn.Module) -> None:
    check_against_each_image_alone(model, data_of(model, SIZES, BOXES))


def test_an_image_without_boxes(model: nn.Module) -> None:
    data = data_of(model, SIZES[:2], [0, 3])
    with capture_per_image_losses(model, shares=True) as captured:
        run(model, data)
    assert captured.losses['loss_bbox'][0] == 0
    assert captured.losses['loss_rpn_bbox'][0] == 0
    assert captured.losses['loss_cls'].isfinite().all()


@pytest.mark.parametrize('boxes', [BOXES, [0, 0, 5, 1]])
def test_shares_add_up(model: nn.Module, boxes: list[int]) -> None:
    model.train()
    data = data_of(model, SIZES, boxes)
    with capture_per_image_losses(model, shares=True) as captured:
        losses = run(model, data)
    for term, share in captured.shares.items():
        torch.testing.assert_close(
            share.sum(), total(losses[term]), rtol=1e-5, atol=1e-8
        )


def test_a_batch_without_any_roi(model: nn.Module) -> None:
    """No boxes and no proposals: mmdet omits loss_cls."""
    data = data_of(model, SIZES[:2], [0, 0])
    model.train_cfg.rpn_proposal.min_bbox_size = 10**6
    with capture_per_image_losses(model, shares=True) as captured:
        losses = run(model, data)
    assert 'loss_cls' not in losses
    assert list(captured.losses) == [
        'loss_rpn_cls',
        'loss_rpn_bbox',
        'loss_bbox',
    ]
    assert captured.losses['loss_bbox'].tolist() == [0, 0]


def test_half_precision_outputs_are_scored_in_float32(
    model: nn.Module,
) -> None:
    """500 RoIs cannot be counted in bfloat16."""
    config = faster_rcnn_config()
    config.train_cfg.rcnn.sampler.num = 301
    model = build(config).eval()
    head = model.roi_head.bbox_head
    forward = head.forward
    data = data_of(model, SIZES, BOXES)

    def half(x: Tensor) -> tuple[Tensor, ...]:
        return tuple(out.bfloat16() for out in forward(x))

    def rounded(x: Tensor) -> tuple[Tensor, ...]:
        return tuple(out.bfloat16().float() for out in forward(x))

    head.forward = half
    with capture_per_image_losses(model) as captured:
        run(model, data)
    head.forward = rounded
    with capture_per_image_losses(model) as expected:
        run(model, data)
    for term in TERMS:
        assert captured.losses[term].dtype == torch.float32
        torch.testing.assert_close(
            captured.losses[term], expected.losses[term], rtol=5e-3, atol=1e-5
        )


@pytest.mark.parametrize(
    ('part', 'term', 'loss'),
    [
        ('rpn_head', 'loss_bbox', dict(type='SmoothL1Loss', loss_weight=2.0)),
        ('roi_head', 'loss_bbox', dict(type='GIoULoss', loss_weight=3.0)),
        ('rpn_head', 'loss_cls', dict(type='FocalLoss', use_sigmoid=True)),
        (
            'roi_head',
            'loss_cls',
            dict(type='CrossEntropyLoss', class_weight=[1.0, 2, 0, 1, 0.5]),
        ),
    ],
)
@pytest.mark.usefixtures('seeded_draws')
def test_other_losses(part: str, term: str, loss: dict) -> None:
    config = faster_rcnn_config()
    head = config[part] if part == 'rpn_head' else config[part].bbox_head
    head[term] = loss
    if loss['type'] == 'GIoULoss':
        head.reg_decoded_bbox = True
    model = build(config).eval()
    data = data_of(model, SIZES, BOXES)
    check_against_each_image_alone(model, data)
