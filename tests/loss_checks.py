"""Checks of captured losses that hold for every kind of model."""

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ies_mm.losses import CapturedLosses, capture_per_image_losses


def run(model: nn.Module, data: dict, seed: int = 0) -> dict:
    torch.manual_seed(seed)
    return model(**copy.deepcopy(data), mode='loss')


def alone(data: dict, image: int) -> dict:
    """One image of the padded batch."""
    return {
        'inputs': data['inputs'][image : image + 1],
        'data_samples': data['data_samples'][image : image + 1],
    }


def close(actual: Any, expected: Any) -> None:
    torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-7)


def loss_terms(batch: dict) -> dict:
    """Terms as numbers; some heads return vectors of one element."""
    return {
        term: value.squeeze()
        for term, value in batch.items()
        if 'loss' in term
    }


def captured_losses(model: nn.Module, data: dict) -> CapturedLosses:
    """Capture the losses, and check that the shares sum to the loss."""
    plain = loss_terms(run(model, data))
    with capture_per_image_losses(model, shares=True) as captured:
        run(model, data)
    assert list(captured.losses) == list(captured.shares) == list(plain)
    images = (len(data['inputs']),)
    for term, value in plain.items():
        assert captured.losses[term].dtype == torch.float32
        assert captured.losses[term].shape == images
        assert not captured.losses[term].requires_grad
        assert captured.shares[term].shape == images
        close(captured.shares[term].sum(), value)
    return captured


def check_against_each_image_alone(
    model: nn.Module, oracle: nn.Module, data: dict
) -> CapturedLosses:
    """Compare with the oracle's single-image losses; return the captured."""
    captured = captured_losses(model, data)
    for image in range(len(data['inputs'])):
        expected = loss_terms(run(oracle, alone(data, image)))
        for term, values in captured.losses.items():
            close(values[image], expected[term].detach())
    return captured


def gradient(model: nn.Module) -> Tensor:
    """The gradient of all parameters as one vector."""
    parts = [
        torch.zeros_like(p) if p.grad is None else p.grad
        for p in model.parameters()
    ]
    return torch.cat([part.flatten() for part in parts])


def check_gradient_of_summed_shares(model: nn.Module, data: dict) -> None:
    twin = copy.deepcopy(model)
    sum(loss_terms(run(twin, data)).values()).backward()
    with capture_per_image_losses(model, shares=True) as captured:
        run(model, data)
    sum(share.sum() for share in captured.shares.values()).backward()
    ours, theirs = gradient(model), gradient(twin)
    assert theirs.norm() > 0
    assert (ours - theirs).norm() <= 1e-5 * theirs.norm()


def check_same_terms(ours: dict, theirs: dict) -> None:
    """Check for the same terms in the same order, without tolerance."""
    assert list(ours) == list(theirs)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=0)


def check_same_buffers(model: nn.Module, twin: nn.Module) -> None:
    for ours, theirs in zip(model.buffers(), twin.buffers(), strict=True):
        assert torch.equal(ours, theirs)


def check_untouched(model: nn.Module, data: dict, shares: bool) -> None:
    """Check that capturing changes no output, buffer or random state."""
    twin = copy.deepcopy(model)
    plain = run(twin, data)
    state = torch.get_rng_state()
    with capture_per_image_losses(model, shares=shares) as captured:
        ours = run(model, data)
    assert bool(captured.shares) == shares
    assert torch.equal(torch.get_rng_state(), state)
    check_same_terms(ours, plain)
    check_same_buffers(model, twin)


def check_nested_captures(model: nn.Module, data: dict) -> list[str]:
    """Check that both get the same losses; return the terms."""
    with (
        capture_per_image_losses(model) as outer,
        capture_per_image_losses(model) as inner,
    ):
        run(model, data)
    check_same_terms(outer.losses, inner.losses)
    return list(outer.losses)


def check_half_precision(model: nn.Module, data: dict) -> None:
    """Check a one-loss model: captured in float32, plain loss unchanged."""
    with torch.autocast('cpu', torch.bfloat16):
        plain = loss_terms(run(model, data))
        with capture_per_image_losses(model) as captured:
            check_same_terms(loss_terms(run(model, data)), plain)
    (losses,), (loss,) = captured.losses.values(), plain.values()
    assert losses.dtype == torch.float32
    torch.testing.assert_close(
        losses.mean(), loss.detach().float(), rtol=1e-2, atol=0
    )


def count_calls(monkeypatch: pytest.MonkeyPatch, loss: nn.Module) -> list[int]:
    """A list to which each call of the loss appends its number of images."""
    asked = []
    original = type(loss).forward

    def forward(*args: Any, **kwargs: Any) -> Tensor:
        asked.append(len(args[1]))
        return original(*args, **kwargs)

    monkeypatch.setattr(type(loss), 'forward', forward)
    return asked


def patched(model: nn.Module) -> list[str]:
    """Instance attributes that shadow a method of the class."""
    parts = [*model.modules()]
    for module in model.modules():
        used = [getattr(module, n, None) for n in ('assigner', 'sampler')]
        parts += [part for part in used if part is not None]
    return [
        name
        for part in parts
        for name in vars(part)
        if callable(getattr(type(part), name, None))
    ]


def hooks(model: nn.Module) -> list[int]:
    """The ids of all forward hooks."""
    return [
        hook
        for part in model.modules()
        for hook in [*part._forward_hooks, *part._forward_pre_hooks]
    ]


def check_restored(model: nn.Module, loss: nn.Module, data: dict) -> None:
    """Check that all is restored, even after an error in the loss module."""
    with capture_per_image_losses(model):
        run(model, data)
    assert patched(model) == hooks(model) == []

    def fail(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError('inside a loss')

    handle = loss.register_forward_hook(fail)
    with (
        pytest.raises(RuntimeError, match='inside a loss'),
        capture_per_image_losses(model, shares=True),
    ):
        run(model, data)
    handle.remove()
    assert patched(model) == hooks(model) == []
