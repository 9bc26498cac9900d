"""Losses of segmentors equal those of each image run alone."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from mmseg.models.decode_heads import PointHead
from torch import Tensor

from ies_mm.losses import capture_per_image_losses
from loss_checks import (
    captured_losses,
    check_against_each_image_alone,
    close,
    run,
)
from seg_cases import CONFIGS, MARKS, SIZES, TERMS, build, data_of

pytestmark = MARKS


@pytest.fixture
def same_points(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make PointRend's random points the same in every image."""
    generator = torch.Generator().manual_seed(0)
    points = torch.rand(1, 96, 2, generator=generator)

    def draw(self: Any, logits: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        return points.expand(len(logits), -1, -1)

    monkeypatch.setattr(PointHead, 'get_points_train', draw)


def every_loss(config: Any) -> Iterator[dict]:
    """All CrossEntropyLoss configs within a config."""
    if isinstance(config, dict):
        if config.get('type') == 'CrossEntropyLoss':
            yield config
        config = list(config.values())
    if isinstance(config, list):
        for value in config:
            yield from every_loss(value)


def averaging_valid_pixels(config: dict) -> dict:
    """The same segmentor, averaging only over valid pixels."""
    config = copy.deepcopy(config)
    for loss in every_loss(config):
        # Class weights already divide by the valid pixels' weights, and
        # mmseg fails with both together.
        if 'class_weight' not in loss:
            loss['avg_non_ignore'] = True
    return config


@pytest.mark.usefixtures('same_points')
@pytest.mark.parametrize('name', CONFIGS)
def test_losses_are_those_of_each_image_alone(name: str) -> None:
    model = build(CONFIGS[name])
    data = data_of(model, [(32, 48)] * 3, [0.0] * 3)
    check_against_each_image_alone(model, model, data)


@pytest.mark.usefixtures('same_points')
@pytest.mark.parametrize(
    'name',
    [name for name in CONFIGS if 'focal' not in name and name != 'pid'],
)
def test_padded_and_ignored_pixels_do_not_count(name: str) -> None:
    """FocalLoss and PIDNet's BoundaryLoss cannot average only valid pixels.

    See ``literal_loss`` and ``literal_boundary``.
    """
    model = build(CONFIGS[name])
    oracle = build(averaging_valid_pixels(CONFIGS[name]))
    check_against_each_image_alone(model, oracle, data_of(model))


@pytest.mark.parametrize('name', TERMS)
def test_terms_are_named_as_the_model_names_them(name: str) -> None:
    model = build(CONFIGS[name])
    with capture_per_image_losses(model) as captured:
        run(model, data_of(model))
    assert list(captured.losses) == TERMS[name]
    assert captured.shares == {}


# mmseg's softmax Lovasz fails on an image without valid pixels, and an
# STDCHead makes a map of edges from the labels, in which every pixel is valid.
BLANK = [
    name
    for name, config in CONFIGS.items()
    if 'Lovasz' not in str(config) and name != 'stdc'
] + ['lovasz_binary']

# One asks which classes the map shows; none is an answer. The other uses
# edges, which have their own map.
OF_EVERY_MAP = ('decode.loss_se', 'decode.loss_bd')


@pytest.mark.usefixtures('same_points')
@pytest.mark.parametrize('name', BLANK)
def test_an_image_without_a_valid_pixel(name: str) -> None:
    model = build(CONFIGS[name])
    data = data_of(model, SIZES[:3], [0.1, 1.0, 0.5])
    captured = captured_losses(model, data)
    others = {
        'inputs': data['inputs'][::2],
        'data_samples': data['data_samples'][::2],
    }
    expected = captured_losses(model, others)
    for term, losses in captured.losses.items():
        if term in OF_EVERY_MAP:
            assert not captured.missing[term].any()
            continue
        assert captured.missing[term].tolist() == [False, True, False]
        assert losses[1].isnan()
        close(losses[::2], expected.losses[term])
        assert not expected.missing[term].any()


@pytest.mark.usefixtures('same_points')
@pytest.mark.parametrize(
    # With one channel, mmseg takes the maximum of no labels.
    'name',
    [name for name in BLANK if 'one_channel' not in name],
)
def test_a_batch_without_a_valid_pixel(name: str) -> None:
    model = build(CONFIGS[name])
    captured = captured_losses(model, data_of(model, SIZES[:2], [1.0, 1.0]))
    for term, shares in captured.shares.items():
        assert shares.isfinite().all()
        if term not in OF_EVERY_MAP:
            assert captured.losses[term].isnan().all()
