"""Losses of a depth estimator: VPD's head with a small backbone."""

import pytest
import torch
from mmengine.structures import PixelData
from torch import nn

from loss_checks import (
    captured_losses,
    check_against_each_image_alone,
    check_gradient_of_summed_shares,
    check_untouched,
)
from mask_cases import FOUR_STAGES
from small_seg import build_segmentor, seg_batch, segmentor_config

HEAD = dict(
    type='VPDDepthHead',
    in_channels=[16, 32, 64, 128],
    embed_dim=2,
    feature_dim=16,
    num_deconv_filters=(4, 4, 2),
    loss_decode=dict(type='SiLogLoss', loss_weight=2.0),
)


@pytest.fixture
def model() -> nn.Module:
    backbone = FOUR_STAGES | dict(base_channels=16)
    return build_segmentor(segmentor_config(HEAD, backbone=backbone)).eval()


def data_of(model: nn.Module, parts: tuple = (0.0, 0.4, 0.9)) -> dict:
    """``parts`` of the depth maps are unknown, marked by zero depth."""
    data = seg_batch([(64, 64)] * 3, [0.0] * 3)
    for sample, part in zip(data['data_samples'], parts, strict=True):
        depth = 0.5 + 9 * torch.rand(1, 64, 64)
        depth[torch.rand(1, 64, 64) < part] = 0
        sample.gt_depth_map = PixelData(data=depth)
    return model.data_preprocessor(data, True)


def test_losses_are_those_of_each_image_alone(model: nn.Module) -> None:
    captured = check_against_each_image_alone(model, model, data_of(model))
    assert list(captured.losses) == ['decode.loss_silog']
    assert not captured.missing['decode.loss_silog'].any()


def test_an_image_without_a_known_depth_has_no_loss(model: nn.Module) -> None:
    captured = captured_losses(model, data_of(model, (0.0, 1.1, 0.5)))
    missing = captured.missing['decode.loss_silog']
    assert missing.tolist() == [False, True, False]


@pytest.mark.parametrize('shares', [False, True])
def test_capturing_changes_nothing_else(
    model: nn.Module, shares: bool
) -> None:
    check_untouched(model.train(), data_of(model), shares)


def test_gradient_of_the_summed_shares_is_the_plain_one(
    model: nn.Module,
) -> None:
    check_gradient_of_summed_shares(model, data_of(model))
