"""Losses of segmentors, with pixels counted by hand."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from mmseg.structures.sampler import OHEMPixelSampler
from torch import Tensor, nn

from ies_mm.losses import capture_per_image_losses
from loss_checks import captured_losses, check_same_terms, close, run
from seg_cases import (
    CONFIGS,
    MARKS,
    PIXEL_HEADS,
    WEIGHTS,
    build,
    ce,
    data_of,
)
from small_seg import IGNORED, head_config, labels_of, segmentor_config

pytestmark = MARKS


def logits_of(model: nn.Module, data: dict) -> Tensor:
    """The decode head's logits, at the size of the label maps."""
    return F.interpolate(
        model(**data, mode='tensor'),
        size=data['inputs'].shape[2:],
        mode='bilinear',
    )


def literal_loss(loss: dict, logits: Tensor, labels: Tensor) -> Tensor:
    """A pixel loss of one image: a sum or mean over its valid pixels.

    Args:
        loss (dict): Config of the loss.
        logits (Tensor): (C, H, W).
        labels (Tensor): (H, W).
    """
    valid = labels != IGNORED
    logits, labels = logits[:, valid].T, labels[valid]
    weights = loss.get('class_weight')
    weights = None if weights is None else torch.tensor(weights)
    reduction = loss.get('reduction', 'mean')
    binary = loss.get('use_sigmoid') or loss['type'] == 'FocalLoss'
    if not binary:
        value = F.cross_entropy(logits, labels, weights, reduction=reduction)
        return value * loss.get('loss_weight', 1)
    targets = labels[:, None].float()
    if logits.shape[1] > 1:
        targets = F.one_hot(labels, logits.shape[1]).float()
    if loss['type'] == 'FocalLoss':
        right = torch.where(targets == 1, logits, -logits).sigmoid()
        alpha = loss.get('alpha', 0.5)
        alpha = alpha * targets + (1 - alpha) * (1 - targets)
        values = -alpha * (1 - right) ** 2 * right.log()
        values = values if weights is None else values * weights
    else:
        values = F.binary_cross_entropy_with_logits(
            logits, targets, pos_weight=weights, reduction='none'
        )
    return getattr(values, reduction)() * loss.get('loss_weight', 1)


@pytest.mark.parametrize('name', PIXEL_HEADS)
def test_pixel_losses_are_means_over_own_valid_pixels(name: str) -> None:
    model = build(CONFIGS[name])
    data = data_of(model)
    (losses,) = captured_losses(model, data).losses.values()
    logits, labels = logits_of(model, data).detach(), labels_of(data)
    for image, loss in enumerate(losses):
        expected = literal_loss(
            PIXEL_HEADS[name]['loss_decode'], logits[image], labels[image]
        )
        close(loss, expected)


def test_another_label_may_be_the_ignored_one() -> None:
    model = build(segmentor_config(head_config(ce(), ignore_index=3)))
    data = data_of(model, [(32, 48)] * 3, [0.0] * 3)
    (losses,) = captured_losses(model, data).losses.values()
    logits, labels = logits_of(model, data).detach(), labels_of(data)
    for image, loss in enumerate(losses):
        close(
            loss,
            F.cross_entropy(
                logits[image][None], labels[image][None], ignore_index=3
            ),
        )


def test_an_image_of_a_class_without_weight_has_a_loss_of_zero() -> None:
    loss = ce(class_weight=[0.0, 1.0, 1.0, 1.0])
    model = build(segmentor_config(head_config(loss)))
    data = data_of(model)
    data['data_samples'][0].gt_sem_seg.data.zero_()
    captured = captured_losses(model, data)
    assert captured.losses['decode.loss_ce'][0] == 0
    assert not captured.missing['decode.loss_ce'].any()


OHEM_LOSSES = {
    'ce': ce(),
    'ce_valid': ce(avg_non_ignore=True),
    'ce_class_weight': ce(class_weight=WEIGHTS, loss_weight=2.0),
}


@pytest.mark.parametrize('thresh', [None, 0.3])
@pytest.mark.parametrize('loss', OHEM_LOSSES)
def test_hard_pixels_are_those_of_the_batch(
    loss: str, thresh: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A single image would select others, so the oracle computes them."""
    chosen = []
    original = OHEMPixelSampler.sample

    def sample(self: Any, *args: Any) -> Tensor:
        chosen.append(original(self, *args))
        return chosen[-1]

    monkeypatch.setattr(OHEMPixelSampler, 'sample', sample)
    sampler = dict(type='OHEMPixelSampler', thresh=thresh, min_kept=100)
    config = OHEM_LOSSES[loss]
    model = build(segmentor_config(head_config(config, sampler=sampler)))
    data = data_of(model)
    (losses,) = captured_losses(model, data).losses.values()
    logits, labels = logits_of(model, data).detach(), labels_of(data)
    weights = torch.tensor(config.get('class_weight', [1.0] * 4))
    for image, hard in enumerate(chosen[-1]):
        valid = labels[image] != IGNORED
        assert 0 < hard.sum() < valid.sum()
        values = F.cross_entropy(
            logits[image, :, valid].T,
            labels[image][valid],
            weights,
            reduction='none',
        )
        expected = (values * hard[valid]).sum()
        expected = expected / weights[labels[image][valid]].sum()
        close(losses[image], expected * config.get('loss_weight', 1))


@pytest.mark.parametrize('kind', ['FCNHead', 'DAHead'])
def test_ranking_the_pixels_is_no_loss(kind: str) -> None:
    """The sampler also calls the loss modules, in a DAHead between losses."""
    extra = dict(pam_channels=4) if kind == 'DAHead' else {}
    sampler = dict(type='OHEMPixelSampler', min_kept=100)
    head = head_config([ce(), ce()], type=kind, sampler=sampler, **extra)
    model = build(segmentor_config(head))
    data = data_of(model)
    captured_losses(model, data)
    plain = run(model, data)
    with capture_per_image_losses(model):
        captured = run(model, data)
    check_same_terms(captured, plain)
