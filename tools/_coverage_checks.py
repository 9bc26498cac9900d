"""What must hold of captured losses, checked on a model and a batch.

Every check returns what is wrong, a list of short sentences; none if all is
as it should be.
"""

import copy
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from _coverage_draws import (
    random_state,
    same_draws,
    same_state,
    seed_all,
)
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ies_mm.losses import CapturedLosses, capture_per_image_losses

# The shares of a term, added up, to the term.
SHARES = 1e-5
# Their gradient, parameter by parameter: deep graphs, summed in another order.
GRADIENT = 1e-3
# A layer computes one image of a batch and an image alone by other kernels.
ALONE = 1e-4
# A term that small a part of the whole loss is not looked at so closely.
FLOOR = 1e-6

Capture = Callable[..., AbstractContextManager[CapturedLosses]]


@dataclass(frozen=True)
class Step:
    """What a training step leaves behind.

    Attributes:
        losses (dict): Term -> its values, as one vector.
        gradients (dict): Parameter -> gradient, or None.
        buffers (dict): Name -> buffer after the step.
        state (tuple): The generators' states after the step.
    """

    losses: dict[str, Tensor]
    gradients: dict[str, Tensor | None]
    buffers: dict[str, Tensor]
    state: tuple


def plain_step(model: Any, data: dict) -> Step:
    """A training step as it would be without a capture."""
    with _own_draws():
        losses = forward(model, data)
        _backward(model, losses)
        return _left_behind(model, losses)


def captured_step(
    model: Any, data: dict, capture: Capture = capture_per_image_losses
) -> tuple[Step, CapturedLosses, list[str]]:
    """The same step with a capture; what is wrong with its shares."""
    names = attributes(model)
    with _own_draws():
        with capture(model, shares=True) as captured:
            losses = forward(model, data)
            _backward(model, losses, retain_graph=True)
        step = _left_behind(model, losses)
    wrong = check_terms(step, captured, len(data['inputs']))
    wrong += [f'left behind: {n}' for n in sorted(attributes(model) - names)]
    wrong = wrong or check_sums(step, captured)
    return step, captured, wrong or _check_gradient(model, step, captured)


def check_unchanged(ours: Step, theirs: Step) -> list[str]:
    """The captured step is the plain one, to the bit."""
    wrong = []
    if list(ours.losses) != list(theirs.losses):
        wrong.append(f'terms: {list(ours.losses)}, not {list(theirs.losses)}')
    for what in ('losses', 'gradients', 'buffers'):
        mine, other = getattr(ours, what), getattr(theirs, what)
        changed = [
            key for key in other if not _same(mine.get(key), other[key])
        ]
        if changed:
            wrong.append(f'{what} changed: {_some(changed)}')
    if not same_state(ours.state, theirs.state):
        wrong.append('the random state changed')
    return wrong


def check_terms(
    step: Step, captured: CapturedLosses, images: int
) -> list[str]:
    """All terms, float32, one value an image, gradients where they belong."""
    terms = [term for term in step.losses if 'loss' in term]
    wrong = [
        f'{kind} of {list(values)}, not of {terms}'
        for kind, values in _kinds(captured)
        if list(values) != terms
    ]
    for kind, values in _kinds(captured):
        shapes = [t for t, v in values.items() if v.shape != (images,)]
        if shapes:
            wrong.append(f'{kind} are not (N,): {_some(shapes)}')
    for term, value in captured.losses.items():
        if value.dtype != torch.float32 or value.requires_grad:
            wrong.append(f'{term}: {value.dtype}, with gradient or not')
    return wrong


def check_sums(step: Step, captured: CapturedLosses) -> list[str]:
    """The shares of a batch add up to its loss, term by term."""
    totals = {t: step.losses[t].sum() for t in captured.shares}
    floor = FLOOR * sum(total.abs() for total in totals.values())
    return [
        f'{term}: shares add up to {share.sum():.7g}, not {totals[term]:.7g}'
        for term, share in captured.shares.items()
        if not _close(share.sum(), totals[term], SHARES, floor)
    ]


def check_alone(
    model: Any, data: dict, capture: Capture = capture_per_image_losses
) -> list[str]:
    """An image's captured losses are the model's losses of it alone."""
    with frozen_statistics(model, data), same_draws():
        with capture(model) as captured:
            forward(model, data)
        wrong = []
        for image in range(len(data['inputs'])):
            with torch.no_grad():
                own = _totals(forward(model, slice_of(data, image)))
            wrong += _differences(captured, own, image)
    return wrong


def forward(model: Any, data: dict) -> dict[str, Any]:
    """The model's loss terms; the samples stay as they are."""
    losses: dict[str, Any] = model(**copy.deepcopy(data), mode='loss')
    return losses


def slice_of(data: dict, image: int) -> dict:
    """One image of the padded batch."""
    return {key: value[image : image + 1] for key, value in data.items()}


@contextmanager
def frozen_statistics(model: nn.Module, data: dict) -> Iterator[None]:
    """BatchNorm mixes the images of a batch: it takes those of this batch."""
    layers = [m for m in model.modules() if isinstance(m, _BatchNorm)]
    training = [layer.training for layer in layers]
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None
    with torch.no_grad(), _own_draws():
        forward(model, data)
    for layer in layers:
        layer.eval()
    yield
    for layer, mode in zip(layers, training, strict=True):
        layer.train(mode)


def attributes(model: nn.Module) -> set[str]:
    """What the modules, assigners and samplers have of their own."""
    names = set()
    for path, module in model.named_modules():
        parts = {'': module}
        for name in ('assigner', 'sampler'):
            parts[f'.{name}'] = getattr(module, name, None)
        for part, owner in parts.items():
            # On a module, what torch sets while it runs is no trace.
            own = vars(owner) if hasattr(owner, '__dict__') else {}
            names |= {
                f'{path}{part}.{n}' for n, v in own.items() if callable(v)
            }
    return names


def _differences(
    captured: CapturedLosses, own: dict[str, Tensor], image: int
) -> list[str]:
    floor = FLOOR * sum(value.abs() for value in own.values())
    wrong = []
    for term, values in captured.losses.items():
        if term in captured.missing and captured.missing[term][image]:
            continue
        if term not in own:
            wrong.append(f'{term}: image {image} alone has no such term')
        elif not _close(values[image], own[term], ALONE, floor):
            wrong.append(
                f'{term}: image {image} has {values[image]:.7g}, '
                f'alone {own[term]:.7g}'
            )
    return wrong


def _check_gradient(
    model: nn.Module, step: Step, captured: CapturedLosses
) -> list[str]:
    model.zero_grad()
    total = torch.stack([s.sum() for s in captured.shares.values()]).sum()
    total.backward()
    whole = _norm(list(step.gradients.values()))
    wrong = []
    for name, parameter in model.named_parameters():
        ours, theirs = parameter.grad, step.gradients[name]
        ours = torch.zeros_like(parameter) if ours is None else ours
        theirs = torch.zeros_like(parameter) if theirs is None else theirs
        limit = GRADIENT * _norm([theirs]) + FLOOR * whole
        if not _norm([ours - theirs]) <= limit:
            wrong.append(name)
    return [f'gradient of the summed shares: {_some(wrong)}'] if wrong else []


def _kinds(captured: CapturedLosses) -> list[tuple[str, dict[str, Tensor]]]:
    return [('losses', captured.losses), ('shares', captured.shares)]


def _left_behind(model: nn.Module, losses: dict) -> Step:
    return Step(
        {term: _flat(value).clone() for term, value in losses.items()},
        {
            name: None if p.grad is None else p.grad.clone()
            for name, p in model.named_parameters()
        },
        {name: buffer.clone() for name, buffer in model.named_buffers()},
        random_state(),
    )


def _backward(model: Any, losses: dict, retain_graph: bool = False) -> None:
    model.zero_grad()
    model.parse_losses(losses)[0].backward(retain_graph=retain_graph)


@contextmanager
def _own_draws() -> Iterator[None]:
    with nullcontext():
        seed_all(1)
        yield


def _flat(value: Any) -> Tensor:
    """A term's value: one number, or one a level."""
    levels = [value] if isinstance(value, Tensor) else value
    return torch.stack([level.detach().mean() for level in levels])


def _totals(losses: dict) -> dict[str, Tensor]:
    return {t: _flat(v).sum() for t, v in losses.items() if 'loss' in t}


def _norm(tensors: list[Tensor | None]) -> Tensor:
    norms = [t.float().norm() for t in tensors if t is not None]
    return torch.stack([torch.zeros(()), *norms]).norm()


def _close(ours: Tensor, theirs: Tensor, relative: float, floor: Any) -> bool:
    """Also infinite and NaN values may be equal."""
    near = (ours - theirs).abs() <= relative * theirs.abs() + floor
    return bool(near) or _same(ours.detach(), theirs.detach())


def _same(ours: Tensor | None, theirs: Tensor | None) -> bool:
    """To the bit."""
    if ours is None or theirs is None:
        return ours is theirs
    same: Any = torch.isclose(ours, theirs, rtol=0, atol=0, equal_nan=True)
    return ours.shape == theirs.shape and bool(same.all())


def _some(names: list[str]) -> str:
    more = f' and {len(names) - 3} more' if len(names) > 3 else ''
    return ', '.join(names[:3]) + more
