"""Losses by a forward pass for every image, for heads without an adapter."""

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from mmdet.models.losses import GHMC
from mmdet.models.roi_heads import StandardRoIHead
from torch import nn

from ies_mm.engine import IESHook
from ies_mm.errors import UnsupportedModelError
from ies_mm.losses import capture_per_image_losses, check_supported
from ies_mm.losses.capture.terms import scalar
from loss_checks import patched
from runs import epochs_of, ies_config, train
from small import batch, build, faster_rcnn_config

SIZES = [(96, 128), (64, 80)]


class OwnRoIHead(StandardRoIHead):
    """A RoI head whose loss no adapter knows."""

    def bbox_loss(self, *args: Any) -> dict:
        results = super().bbox_loss(*args)
        results['loss_bbox']['loss_cls'] = results['loss_bbox']['loss_cls'] * 3
        return results


@pytest.fixture
def model() -> nn.Module:
    model = build(faster_rcnn_config()).eval()
    model.roi_head.__class__ = OwnRoIHead
    for part in (model.rpn_head, model.roi_head):
        for sampler in ('sampler', 'bbox_sampler'):
            if hasattr(part, sampler):
                # More than there are, so nothing is sampled at random.
                getattr(part, sampler).num = 10**6
    return model


@pytest.fixture
def data(model: nn.Module) -> dict:
    return model.data_preprocessor(batch(SIZES, [1, 3]), True)


def run(model: nn.Module, data: dict) -> dict:
    torch.manual_seed(0)
    return model(**copy.deepcopy(data), mode='loss')


def value(loss: Any) -> float:
    return float(scalar(loss).detach())


def test_it_is_used_only_when_asked_for(model: nn.Module) -> None:
    with pytest.raises(UnsupportedModelError, match='roi_head=OwnRoIHead'):
        check_supported(model)
    check_supported(model, fallback=True)


def test_losses_are_those_of_each_image_alone(
    model: nn.Module, data: dict
) -> None:
    with capture_per_image_losses(model, fallback=True) as captured:
        run(model, data)
    for image in range(len(SIZES)):
        one = {name: part[image : image + 1] for name, part in data.items()}
        for term, loss in run(model, one).items():
            if 'loss' in term:
                assert captured.losses[term][image].item() == pytest.approx(
                    value(loss), rel=1e-5
                )
    assert set(captured.losses) == {
        'loss_rpn_cls', 'loss_rpn_bbox', 'loss_cls', 'loss_bbox'
    }  # fmt: skip
    assert not captured.losses['loss_cls'].requires_grad


def test_features_are_computed_once(model: nn.Module, data: dict) -> None:
    passes = []
    model.backbone.register_forward_hook(lambda *args: passes.append(1))
    with capture_per_image_losses(model, fallback=True):
        run(model, data)
    assert passes == [1]


def test_loss_random_state_and_buffers_are_the_plain_ones(
    model: nn.Module, data: dict
) -> None:
    model.train()
    twin = copy.deepcopy(model)
    plain = run(twin, data)
    after = torch.get_rng_state()
    with capture_per_image_losses(model, fallback=True):
        losses = run(model, data)
    assert torch.equal(torch.get_rng_state(), after)
    for term in plain:
        assert value(losses[term]) == value(plain[term])
    for ours, theirs in zip(model.buffers(), twin.buffers(), strict=True):
        assert torch.equal(ours, theirs)
    assert patched(model) == []


def test_there_are_no_shares(model: nn.Module) -> None:
    with pytest.raises(UnsupportedModelError, match='has no shares'):
        check_supported(model, shares=True, fallback=True)


def test_a_model_without_features_is_refused() -> None:
    class Model(nn.Module):
        def loss(self, *args: Any) -> dict:
            return {}

    with pytest.raises(UnsupportedModelError, match='no extract_feat'):
        check_supported(Model(), fallback=True)


def test_adapters_go_first_where_all_heads_have_one(data: dict) -> None:
    model = build(faster_rcnn_config()).eval()
    with capture_per_image_losses(model, shares=True, fallback=True) as got:
        run(model, data)
    assert set(got.shares) == set(got.losses)


def test_a_training_by_the_hooks_argument(voc: Path, tmp_path: Path) -> None:
    def own_head(runner: Any) -> None:
        runner.model.roi_head.__class__ = OwnRoIHead

    budget = dict(type='Budget', saved=0.3)
    hook = dict(delta=budget, window=1, order=0)
    config = ies_config(voc, tmp_path / 'run', epochs=4, **hook)
    with pytest.raises(UnsupportedModelError, match='roi_head=OwnRoIHead'):
        train(config, own_head)
    config.default_hooks.ies.fallback = True
    train(config, own_head)
    assert epochs_of(tmp_path / 'run')[-1]['excluded'] > 0


def test_the_argument_is_a_flag() -> None:
    with pytest.raises(TypeError, match='fallback'):
        IESHook(delta=0, fallback='features')


def test_it_serves_a_loss_that_an_adapter_refuses() -> None:
    model = build(faster_rcnn_config())
    model.rpn_head.loss_cls = GHMC()
    with pytest.raises(UnsupportedModelError, match='loss_cls=GHMC'):
        check_supported(model)
    check_supported(model, fallback=True)
    assert patched(model) == []


def test_features_of_several_calls(model: nn.Module, data: dict) -> None:
    """A model that also learns from mirrored images."""
    original, features = model.loss, model.extract_feat

    def loss(inputs: torch.Tensor, samples: list) -> dict:
        mirrored = model.extract_feat(inputs.flip(-1))
        pooled = torch.stack([f.mean((1, 2, 3)) for f in mirrored]).mean()
        return original(inputs, samples) | {'loss_mirrored': pooled}

    model.loss = loss
    with capture_per_image_losses(model, fallback=True) as captured:
        run(model, data)
    pooled = torch.stack(
        [f.mean((1, 2, 3)) for f in features(data['inputs'].flip(-1))]
    )
    torch.testing.assert_close(
        captured.losses['loss_mirrored'], pooled.mean(dim=0).detach()
    )


def test_a_loss_without_the_features_is_refused(
    model: nn.Module, data: dict
) -> None:
    model.loss = lambda inputs, samples: {'loss': inputs.mean()}
    with (
        pytest.raises(UnsupportedModelError, match='does not call its'),
        capture_per_image_losses(model, fallback=True),
    ):
        run(model, data)


def test_a_norm_over_the_images_alone_is_refused(
    model: nn.Module, data: dict
) -> None:
    norm = nn.BatchNorm1d(8)

    def loss(inputs: torch.Tensor, samples: list) -> dict:
        pooled = model.extract_feat(inputs)[0].mean((2, 3))[:, :8]
        return {'loss': norm(pooled).square().mean()}

    model.loss = loss
    with (
        pytest.raises(UnsupportedModelError, match='BatchNorm after the'),
        capture_per_image_losses(model, fallback=True),
    ):
        run(model, data)
