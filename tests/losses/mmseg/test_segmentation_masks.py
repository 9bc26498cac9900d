"""Losses of segmentors that match masks to classes."""

import copy
from typing import Any

import pytest
import torch
from mmseg.models.decode_heads import MaskFormerHead
from torch import Tensor, nn

from ies_mm.errors import UnsupportedModelError
from ies_mm.losses import capture_per_image_losses, check_supported

# Recorded draws are identified by function, which a fixture replaces.
from ies_mm.losses.generic import draws as _draws  # noqa: F401
from loss_checks import (
    captured_losses,
    check_against_each_image_alone,
    check_gradient_of_summed_shares,
    check_restored,
    check_same_terms,
    check_untouched,
    close,
    run,
)
from mask_cases import CASES
from small_seg import build_segmentor, seg_batch

pytestmark = pytest.mark.filterwarnings('ignore:Default ..avg_non_ignore')
# Padded to 64x64, with more classes in one image than in the next.
SIZES = [(64, 64), (48, 64), (64, 40)]
PARTS = [0.0, 0.3, 0.9]
LAYERS = {'mask_former': 2, 'mask2former': 3, 'san': 2}


def build(name: str) -> nn.Module:
    model = build_segmentor(copy.deepcopy(CASES[name])).eval()
    for weights in model.decode_head.parameters():
        # Large ones leave few correct digits in a transformer's losses.
        weights.data.mul_(0.3)
    return model


def data_of(model: nn.Module, parts: list = PARTS) -> dict:
    data = seg_batch(SIZES, parts)
    few = data['data_samples'][1].gt_sem_seg.data
    few[few == 3] = 255
    few[few == 2] = 255
    return model.data_preprocessor(data, True)


@pytest.fixture
def same_points(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make random points the same in every row and image."""
    rand = torch.rand

    def draw(*size: Any, **kwargs: Any) -> Tensor:
        first, *rest = size[0] if isinstance(size[0], tuple) else size
        generator = torch.Generator().manual_seed(0)
        # Drawn, so that it is recorded, and then replaced.
        drawn = rand(first, *rest, **kwargs)
        row = torch.empty(rest).uniform_(generator=generator)
        return drawn.copy_(row)

    monkeypatch.setattr(torch, 'rand', draw)


@pytest.mark.usefixtures('same_points')
@pytest.mark.parametrize('name', CASES)
def test_losses_are_those_of_each_image_alone(name: str) -> None:
    model = build(name)
    captured = check_against_each_image_alone(model, model, data_of(model))
    assert len(captured.losses) == 3 * LAYERS[name]
    assert all(term.startswith('decode.') for term in captured.losses)
    assert captured.missing == {}


@pytest.mark.parametrize('name', ['mask2former', 'san'])
def test_an_image_keeps_the_points_that_the_batch_drew(name: str) -> None:
    """With other points, an image's masks would have another loss."""
    model = build(name)
    data = data_of(model)
    ours, again = (captured_losses(model, data) for _ in range(2))
    check_same_terms(ours.losses, again.losses)
    with capture_per_image_losses(model) as other:
        run(model, data, seed=1)
    masks = [term for term in ours.losses if 'mask' in term]
    for term in masks:
        assert not torch.isclose(ours.losses[term], other.losses[term]).all()


@pytest.mark.usefixtures('same_points')
@pytest.mark.parametrize('name', CASES)
def test_an_image_without_a_valid_pixel(name: str) -> None:
    """All of its queries should predict no object."""
    model = build(name)
    data = data_of(model, [0.0, 1.0, 0.5])
    captured = check_against_each_image_alone(model, model, data)
    assert captured.missing == {}


@pytest.mark.parametrize('name', CASES)
def test_capturing_changes_nothing_else(name: str) -> None:
    model = build(name).train()
    data = data_of(model)
    for shares in (False, True):
        check_untouched(model, data, shares)
    check_gradient_of_summed_shares(model, data)


def test_everything_is_restored_also_after_an_exception() -> None:
    model = build('san')
    data = data_of(model)
    check_restored(model, model.decode_head.loss_decode[0], data)


class OtherLoss(MaskFormerHead):
    def loss_by_feat(self, *args: Any, **kwargs: Any) -> dict:
        return super().loss_by_feat(*args, **kwargs)


class OtherInstances(MaskFormerHead):
    def loss(self, *args: Any, **kwargs: Any) -> dict:
        return super().loss(*args, **kwargs)


def test_a_loss_by_feat_of_ones_own_is_asked_like_any_other() -> None:
    model = build('mask_former')
    expected = captured_losses(model, data_of(model))
    model.decode_head.__class__ = OtherLoss
    captured = captured_losses(model, data_of(model))
    for term, losses in expected.losses.items():
        close(captured.losses[term], losses)
    model.decode_head.__class__ = OtherInstances
    with pytest.raises(UnsupportedModelError, match='=OtherInstances'):
        check_supported(model)


def test_a_capture_without_shares_has_none() -> None:
    model = build('mask_former')
    with capture_per_image_losses(model) as captured:
        run(model, data_of(model))
    assert captured.shares == {}
