"""A training step, and what it leaves behind."""

import copy
from dataclasses import dataclass
from typing import Any

import torch
from _coverage_draws import random_state, seed_all
from _coverage_state import State, remembered
from torch import Tensor, nn

from ies_mm.losses import CapturedLosses, capture_per_image_losses


@dataclass(frozen=True)
class Step:
    """What a training step leaves behind.

    Attributes:
        losses (dict): Term -> its values, (levels,).
        gradients (dict): Parameter -> gradient, or None.
        memory (dict): Buffers and plain attributes after the step.
        draws (tuple): The generators' states after the step.
        patches (set): Callables and hooks that single modules have.
    """

    losses: dict[str, Tensor]
    gradients: dict[str, Tensor | None]
    memory: State
    draws: tuple
    patches: set[str]


def plain_step(model: Any, data: dict) -> Step:
    """A training step as it is without a capture."""
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


def scoring_pass(model: nn.Module, data: dict, capture: bool) -> None:
    """A forward-only pass in evaluation mode, as between two epochs."""
    model.eval()
    seed_all(0)
    try:
        with torch.no_grad():
            if not capture:
                forward(model, data)
                return
            with capture_per_image_losses(model):
                forward(model, data)
    finally:
        model.train()


def forward(model: Any, data: dict) -> dict[str, Any]:
    """The model's loss terms; the samples stay as they are."""
    losses: dict[str, Any] = model(**copy.deepcopy(data), mode='loss')
    return losses


def totals(losses: dict[str, Any]) -> dict[str, Tensor]:
    """The loss terms, those of several levels added up."""
    return {t: levels(v).sum() for t, v in losses.items() if 'loss' in t}


def levels(value: Any) -> Tensor:
    """A term's values as a vector; some have one a level."""
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
