"""Capturing the losses of segmentors changes nothing else."""

import copy

import pytest
from torch import nn

from ies_mm.losses import capture_per_image_losses
from loss_checks import (
    check_gradient_of_summed_shares,
    check_half_precision,
    check_nested_captures,
    check_restored,
    check_untouched,
    count_calls,
    patched,
    run,
)
from seg_cases import CONFIGS, MARKS, TERMS, build, data_of
from small_seg import build_segmentor

pytestmark = MARKS


def training(config: dict) -> nn.Module:
    """Training mode with dropout: a forward's random draws must not change."""
    config = copy.deepcopy(config)
    heads = [config['decode_head'], config['auxiliary_head']]
    for head in heads:
        for one in head if isinstance(head, list) else [head]:
            if one is not None:
                one.get('kernel_generate_head', one)['dropout_ratio'] = 0.3
    return build_segmentor(config).train()


@pytest.mark.parametrize('name', CONFIGS)
def test_gradient_of_the_summed_shares_is_the_plain_one(name: str) -> None:
    model = training(CONFIGS[name])
    check_gradient_of_summed_shares(model, data_of(model))


@pytest.mark.parametrize('shares', [False, True])
@pytest.mark.parametrize('name', CONFIGS)
def test_forward_loss_and_random_state_are_untouched(
    name: str, shares: bool
) -> None:
    model = training(CONFIGS[name])
    check_untouched(model, data_of(model), shares)


def test_half_precision_is_scored_in_float32() -> None:
    model = build(CONFIGS['bce'])
    check_half_precision(model, data_of(model, [(32, 48)] * 3, [0.0] * 3))


def test_a_pixel_loss_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has one value per pixel, so calling it again would be expensive."""
    model = build(CONFIGS['ce'])
    data = data_of(model)
    asked = count_calls(monkeypatch, model.decode_head.loss_decode)
    with capture_per_image_losses(model, shares=True):
        run(model, data)
    assert asked == [4]


def test_everything_is_restored_also_after_an_exception() -> None:
    model = build(CONFIGS['aux_list'])
    with capture_per_image_losses(model):
        assert patched(model)[:2] == ['loss', 'loss_by_feat']
    failing = model.auxiliary_head[1].loss_decode
    check_restored(model, failing, data_of(model))


def test_nested_captures_see_the_same() -> None:
    model = build(CONFIGS['aux'])
    assert check_nested_captures(model, data_of(model)) == TERMS['aux']
