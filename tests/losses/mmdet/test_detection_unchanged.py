"""Capturing the losses of Faster R-CNN changes nothing else."""

import copy
from typing import Any

import pytest
import torch
from torch import nn

from det_cases import BOXES, SIZES, TERMS, data_of, run, total
from ies_mm.losses import capture_per_image_losses
from loss_checks import patched


def test_gradient_of_the_summed_shares_is_the_plain_one(
    model: nn.Module,
) -> None:
    model.train()
    data = data_of(model, SIZES, BOXES)
    twin = copy.deepcopy(model)
    plain = run(twin, data)
    sum(total(plain[term]) for term in TERMS).backward()
    with capture_per_image_losses(model, shares=True) as captured:
        run(model, data)
    sum(share.sum() for share in captured.shares.values()).backward()
    for ours, theirs in zip(
        model.parameters(), twin.parameters(), strict=True
    ):
        torch.testing.assert_close(
            ours.grad, theirs.grad, rtol=1e-4, atol=1e-6
        )


@pytest.mark.parametrize('shares', [False, True])
def test_forward_loss_and_random_state_are_untouched(
    model: nn.Module, shares: bool
) -> None:
    model.train()
    data = data_of(model, SIZES, BOXES)
    twin = copy.deepcopy(model)
    plain = run(twin, data)
    state = torch.get_rng_state()
    with capture_per_image_losses(model, shares=shares):
        captured = run(model, data)
    assert torch.equal(torch.get_rng_state(), state)
    assert list(captured) == list(plain)
    for term in plain:
        assert torch.equal(total(captured[term]), total(plain[term]))
    for ours, theirs in zip(model.buffers(), twin.buffers(), strict=True):
        assert torch.equal(ours, theirs)


def test_everything_is_restored_also_after_an_exception(
    model: nn.Module,
) -> None:
    data = data_of(model, SIZES, BOXES)
    with capture_per_image_losses(model):
        assert 'loss_by_feat' in patched(model)
        run(model, data)
    assert patched(model) == []

    def fail(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError('inside a loss')

    model.roi_head.bbox_head.loss_cls.register_forward_hook(fail)
    with (
        pytest.raises(RuntimeError, match='inside a loss'),
        capture_per_image_losses(model, shares=True),
    ):
        run(model, data)
    assert patched(model) == []
    assert not any(m._forward_pre_hooks for m in model.modules())


def test_nested_captures_see_the_same(model: nn.Module) -> None:
    data = data_of(model, SIZES, BOXES)
    with (
        capture_per_image_losses(model) as outer,
        capture_per_image_losses(model) as inner,
    ):
        run(model, data)
    assert list(outer.losses) == list(inner.losses) == TERMS
    for term in TERMS:
        assert torch.equal(outer.losses[term], inner.losses[term])
