"""Training steps and what they leave behind."""

import copy
from contextlib import nullcontext
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from coverage_checks.draws import random_state, seed_all
from coverage_checks.state import State, remembered
from ies_mm.losses import CapturedLosses, capture_per_image_losses
from ies_mm.training.scoring.scoring import forward_only


@dataclass(frozen=True)
class Step:
    """What a training step leaves behind.

    Attributes:
        losses (dict): Term -> its values, (levels,).
        gradients (dict): Parameter -> gradient, or None.
        memory (dict): Buffers and plain attributes after the step.
        draws (tuple): Random states after the step.
        patches (set): Hooks and callables set on individual modules.
    """

    losses: dict[str, Tensor]
    gradients: dict[str, Tensor | None]
    memory: State
    draws: tuple
    patches: set[str]


def plain_step(model: Any, data: dict) -> Step:
    """A training step without a capture."""
    seed_all(1)
    losses = forward(model, data)
    _backward(model, losses)
    return _left_behind(model, losses)


def captured_step(model: Any, data: dict) -> tuple[Step, CapturedLosses]:
    """The same step with a capture; the graph of the shares is kept."""
    seed_all(1)
    with capture_per_image_losses(model, shares=True) as captured:
        losses = forward(model, data)
        _backward(model, losses, retain_graph=True)
    return _left_behind(model, losses), captured


def scoring_pass(model: nn.Module, data: dict) -> dict[str, Tensor]:
    """The loss terms of a scoring pass, as between two epochs."""
    runner: Any = SimpleNamespace(
        model=model,
        optim_wrapper=SimpleNamespace(optim_context=lambda _: nullcontext()),
    )
    with forward_only(runner):
        seed_all(0)
        with capture_per_image_losses(model):
            return totals(forward(model, data))


def held_forward(model: nn.Module, data: dict) -> dict[str, Tensor]:
    """The loss terms of a training forward with noisy layers held still."""
    layers = [m for m in model.modules() if m.training and _is_noisy(m)]
    for layer in layers:
        layer.training = False
    seed_all(0)
    try:
        return totals(forward(model, data))
    finally:
        for layer in layers:
            layer.training = True


def _is_noisy(module: nn.Module) -> bool:
    kind = type(module).__name__
    words = ('Drop', 'Attention', 'BatchNorm', 'InstanceNorm', 'EMAModule')
    foreign = type(module).__module__.split('.')[0] in ('timm', 'transformers')
    noisy = any(word in kind for word in words) and 'Levit' not in kind
    # DenseNet's layers and ViG's graphs draw in their own functions.
    return foreign or noisy or kind in ('DenseLayer', 'DenseDilated')


def forward(model: Any, data: dict) -> dict[str, Any]:
    """The model's loss terms; the data is not modified."""
    losses: dict[str, Any] = model(**copy.deepcopy(data), mode='loss')
    return losses


def totals(losses: dict[str, Any]) -> dict[str, Tensor]:
    """The loss terms, summed over levels."""
    return {t: levels(v).sum() for t, v in losses.items() if 'loss' in t}


def levels(value: Any) -> Tensor:
    """A term's values as a vector; some terms have one per level."""
    several = [value] if isinstance(value, Tensor) else value
    return torch.stack([level.detach().mean() for level in several])


def _backward(model: Any, losses: dict, retain_graph: bool = False) -> None:
    model.zero_grad()
    model.parse_losses(losses)[0].backward(retain_graph=retain_graph)


def _left_behind(model: nn.Module, losses: dict) -> Step:
    return Step(
        {
            term: levels(value)
            for term, value in losses.items()
            if isinstance(value, Tensor | list)
        },
        {
            name: None if p.grad is None else p.grad.clone()
            for name, p in model.named_parameters()
        },
        remembered(model),
        random_state(),
        _patches(model),
    )


def _patches(model: nn.Module) -> set[str]:
    names = set()
    for path, module in model.named_modules():
        if module._forward_hooks or module._forward_pre_hooks:
            names.add(f'a hook of {path}')
        for owner in ('', 'assigner', 'sampler'):
            part = getattr(module, owner, None) if owner else module
            own = vars(part) if hasattr(part, '__dict__') else {}
            names |= {
                '.'.join(filter(None, (path, owner, name)))
                for name, value in own.items()
                if callable(value)
            }
    return names
