"""RoI heads with many parts, against each image run alone."""

import copy

import pytest
import torch
from mmdet.structures.mask import BitmapMasks
from mmengine.config import ConfigDict
from torch import nn

from det_cases import ALL
from ies_mm.losses import capture_per_image_losses
from ies_mm.losses.capture.terms import terms_of
from small import batch, build, faster_rcnn_config

SIZES = [(96, 128), (128, 96), (64, 80)]
BOXES = [1, 3, 2]


def plain() -> ConfigDict:
    config = faster_rcnn_config()
    config.train_cfg.rpn.sampler = ALL | dict(add_gt_as_proposals=False)
    config.train_cfg.rcnn.sampler = ALL
    return config


def with_masks(config: ConfigDict) -> ConfigDict:
    head = config.roi_head
    head.mask_roi_extractor = copy.deepcopy(head.bbox_roi_extractor)
    head.mask_head = dict(
        type='FCNMaskHead',
        num_convs=1,
        in_channels=16,
        conv_out_channels=8,
        num_classes=4,
        loss_mask=dict(type='CrossEntropyLoss', use_mask=True),
    )
    config.train_cfg.rcnn.mask_size = 14
    return config


def cascaded(config: ConfigDict) -> ConfigDict:
    head = config.roi_head
    head.type, head.num_stages = 'CascadeRoIHead', 2
    head.stage_loss_weights = [1, 0.5]
    head.bbox_head.loss_bbox = dict(type='SmoothL1Loss')
    head.bbox_head.reg_class_agnostic = True
    head.bbox_head = [head.bbox_head, head.bbox_head]
    config.train_cfg.rcnn = [config.train_cfg.rcnn] * 2
    return config


def pisa(config: ConfigDict) -> ConfigDict:
    config.roi_head.type = 'PISARoIHead'
    config.roi_head.bbox_head.loss_bbox = dict(type='SmoothL1Loss')
    sampler = ALL | dict(type='ScoreHLRSampler', k=0.5, bias=0.0)
    config.train_cfg.rcnn |= dict(
        sampler=sampler, isr=dict(k=2, bias=0), carl=dict(k=1, bias=0.2)
    )
    return config


def siou_boxes(config: ConfigDict) -> ConfigDict:
    """A box head with its own losses."""
    config.roi_head.bbox_head = dict(
        type='SABLHead',
        num_classes=4,
        cls_in_channels=16,
        reg_in_channels=16,
        roi_feat_size=7,
        reg_feat_up_ratio=2,
        reg_pre_kernel=3,
        reg_post_kernel=3,
        reg_pre_num=1,
        reg_post_num=1,
        cls_out_channels=16,
        reg_offset_out_channels=16,
        reg_cls_out_channels=16,
        num_cls_fcs=1,
        num_reg_fcs=0,
        reg_class_agnostic=True,
        bbox_coder=dict(type='BucketingBBoxCoder', num_buckets=14,
                        scale_factor=1.7),
    )  # fmt: skip
    return config


def grid(config: ConfigDict) -> ConfigDict:
    head = config.roi_head
    head.type = 'GridRoIHead'
    head.grid_roi_extractor = copy.deepcopy(head.bbox_roi_extractor)
    head.grid_roi_extractor.roi_layer.output_size = 14
    head.grid_head = dict(
        type='GridHead', num_convs=1, in_channels=16, point_feat_channels=4
    )
    config.train_cfg.rcnn |= dict(pos_radius=1, max_num_grid=192)
    return config


def point_rend(config: ConfigDict) -> ConfigDict:
    head = config.roi_head
    head.type = 'PointRendRoIHead'
    head.mask_roi_extractor = copy.deepcopy(head.bbox_roi_extractor)
    head.mask_roi_extractor.roi_layer = dict(
        type='SimpleRoIAlign', output_size=14
    )
    head.mask_head = dict(
        type='CoarseMaskHead', num_fcs=1, in_channels=16,
        conv_out_channels=16, fc_out_channels=16, num_classes=4,
    )  # fmt: skip
    head.point_head = dict(
        type='MaskPointHead', num_fcs=1, in_channels=64, fc_channels=16,
        num_classes=4,
    )  # fmt: skip
    config.train_cfg.rcnn |= dict(
        mask_size=7, num_points=16, oversample_ratio=3,
        importance_sample_ratio=0.75,
    )  # fmt: skip
    return config


MEANS = {
    'grid': lambda: grid(plain()),
    'point rend': lambda: point_rend(plain()),
}
"""Heads that draw at random, and whose loss is a mean: NaN without RoIs."""
CASES = {
    'mask': lambda: with_masks(plain()),
    'cascade': lambda: cascaded(plain()),
    'cascade with masks': lambda: cascaded(with_masks(plain())),
    'pisa': lambda: pisa(plain()),
    'pisa with masks': lambda: with_masks(pisa(plain())),
    'sabl': lambda: siou_boxes(plain()),
}


@pytest.fixture(params=CASES)
def model(request: pytest.FixtureRequest) -> nn.Module:
    return ready(CASES[request.param]())


def ready(config: ConfigDict) -> nn.Module:
    """With BatchNorm frozen; a grid head returns one output twice then."""
    model = build(config).eval()
    if hasattr(model.roi_head, 'grid_head'):
        model.roi_head.grid_head.train()
    return model


def images(model: nn.Module, boxes: list[int]) -> dict:
    data = batch(SIZES, boxes)
    for sample, (height, width) in zip(
        data['data_samples'], SIZES, strict=True
    ):
        count = len(sample.gt_instances)
        generator = torch.Generator().manual_seed(count)
        masks = torch.rand(count, height, width, generator=generator) > 0.4
        sample.gt_instances.masks = BitmapMasks(
            masks.numpy().astype('uint8'), height, width
        )
    return model.data_preprocessor(data, True)


def run(model: nn.Module, data: dict) -> dict:
    torch.manual_seed(0)
    return terms_of(model(**copy.deepcopy(data), mode='loss'))


def close(found: torch.Tensor, expected: torch.Tensor) -> None:
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-7)


def test_losses_are_those_of_each_image_alone(model: nn.Module) -> None:
    data = images(model, BOXES)
    with capture_per_image_losses(model) as captured:
        run(model, data)
    for image in range(len(SIZES)):
        one = {name: part[image : image + 1] for name, part in data.items()}
        alone = run(model, one)
        assert list(captured.losses) == list(alone)
        for term, loss in alone.items():
            close(captured.losses[term][image], loss.detach())


@pytest.mark.parametrize('boxes', [BOXES, [0, 2, 1]])
@pytest.mark.parametrize('case', CASES | MEANS)
def test_shares_add_up_and_so_do_their_gradients(
    case: str, boxes: list[int]
) -> None:
    model = ready((CASES | MEANS)[case]())
    data = images(model, boxes)
    twin = copy.deepcopy(model)
    plain = run(twin, data)
    with capture_per_image_losses(model, shares=True) as captured:
        batch_losses = run(model, data)
    for term, loss in plain.items():
        assert torch.equal(batch_losses[term], loss)
        close(captured.shares[term].sum(), loss)
    sum(plain.values()).backward()
    sum(share.sum() for share in captured.shares.values()).backward()
    for ours, theirs in zip(
        model.parameters(), twin.parameters(), strict=True
    ):
        if theirs.grad is not None:
            torch.testing.assert_close(
                ours.grad, theirs.grad, rtol=1e-4, atol=1e-6
            )


@pytest.mark.parametrize(
    ('case', 'term'), [('grid', 'loss_grid'), ('point rend', 'loss_point')]
)
def test_an_image_without_positive_rois_has_no_such_term(
    case: str, term: str
) -> None:
    """And is trained on with the terms that it has."""
    model = ready(MEANS[case]())
    data = images(model, [0, 2, 1])
    with capture_per_image_losses(model, shares=True) as captured:
        run(model, data)
    assert captured.missing[term].tolist() == [True, False, False]
    assert captured.losses[term].isnan().tolist() == [True, False, False]
    assert captured.shares[term][0] == 0
    assert captured.totals().isfinite().all()
