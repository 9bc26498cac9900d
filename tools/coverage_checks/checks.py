"""What must hold of captured losses, checked on a model and a batch.

Every check returns what is wrong, a list of short sentences; none if all is
as it should be.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import cycle
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from coverage_checks.draws import same_draws, same_state, seed_all
from coverage_checks.state import State, remembered, restore, same
from coverage_checks.steps import (
    Step,
    forward,
    held_forward,
    scoring_pass,
    totals,
)
from ies_mm.losses import CapturedLosses, capture_per_image_losses
from ies_mm.losses.capture.patching import override
from ies_mm.losses.capture.processes import one_process

# The shares of a term, added up, to the term.
SHARES = 1e-5
# Their gradient, parameter by parameter: deep graphs, summed in another order.
GRADIENT = 1e-3
# A layer computes one image of a batch and an image alone by other kernels.
ALONE = 1e-4
# Of the whole loss (gradient): a difference below it is not seen in training,
# and a term of that size is all rounding.
FLOOR = 1e-6
# DDODHead's method that counts the batch's positives and weighs by them.
_COUNTING = 'calc_reweight_factor'


def check_unchanged(ours: Step, theirs: Step) -> list[str]:
    """The captured step is the plain one, to the bit."""
    wrong = []
    if list(ours.losses) != list(theirs.losses):
        wrong.append(f'terms {list(ours.losses)}, not {list(theirs.losses)}')
    for what in ('losses', 'gradients', 'memory'):
        mine, other = getattr(ours, what), getattr(theirs, what)
        changed = [
            k for k in mine | other if not same(mine.get(k), other.get(k))
        ]
        if changed:
            wrong.append(f'{what} changed: {_some(changed)}')
    if not same_state(ours.draws, theirs.draws):
        wrong.append('the random state changed')
    if left := ours.patches - theirs.patches:
        wrong.append(f'left behind: {_some(sorted(left))}')
    return wrong


def check_terms(
    step: Step, captured: CapturedLosses, images: int
) -> list[str]:
    """All terms of the model, one value an image."""
    terms = [term for term in step.losses if 'loss' in term]
    wrong = []
    for kind in ('losses', 'shares'):
        values = getattr(captured, kind)
        if sorted(values) != sorted(terms):
            wrong.append(f'{kind} of {list(values)}, not of {terms}')
        shapes = [t for t, v in values.items() if v.shape != (images,)]
        if shapes:
            wrong.append(f'{kind} that are not (N,): {_some(shapes)}')
    for term, value in captured.losses.items():
        if value.dtype != torch.float32 or value.requires_grad:
            wrong.append(f'{term} is no float32 without gradient')
    return wrong


def check_scoring(model: nn.Module, data: dict) -> list[str]:
    """Scored is what is trained, with noisy layers held still; no trace."""
    with same_draws():
        state = remembered(model)
        scored = scoring_pass(model, data)
        kept = remembered(model)
        changed = [
            k for k in state | kept if not same(state.get(k), kept.get(k))
        ]
        trained = held_forward(model, data)
        restore(model, state)
    floor = FLOOR * sum(value.abs() for value in trained.values())
    wrong = [f'scoring left behind: {_some(changed)}'] if changed else []
    return wrong + [
        f'{term} is scored {scored[term]:.7g}, trained {value:.7g}'
        for term, value in trained.items()
        if not _close(scored[term], value, ALONE, floor)
    ]


def check_sums(step: Step, captured: CapturedLosses) -> list[str]:
    """The shares of a batch add up to its loss, term by term."""
    sums = {t: step.losses[t].sum() for t in captured.shares}
    floor = FLOOR * sum(total.abs() for total in sums.values())
    return [
        f'shares of {term} add up to {share.sum():.7g}, not {sums[term]:.7g}'
        for term, share in captured.shares.items()
        if not _close(share.sum(), sums[term], SHARES, floor)
    ]


def check_gradient(
    model: nn.Module, step: Step, captured: CapturedLosses
) -> list[str]:
    """The gradient of the summed shares is that of the loss."""
    model.zero_grad()
    shares = torch.stack([s.sum() for s in captured.shares.values()]).sum()
    shares.backward()
    floor = FLOOR * _norm(list(step.gradients.values()))
    wrong = []
    for name, parameter in model.named_parameters():
        ours = _or_zeros(parameter.grad, parameter)
        theirs = _or_zeros(step.gradients[name], parameter)
        if not _norm([ours - theirs]) <= GRADIENT * _norm([theirs]) + floor:
            wrong.append(name)
    return [f'gradient of the summed shares: {_some(wrong)}'] if wrong else []


def check_alone(model: nn.Module, data: dict, copies: int = 1) -> list[str]:
    """An image's captured losses are the model's losses of it alone.

    Args:
        model (nn.Module): In training mode.
        data (dict): A preprocessed batch.
        copies (int): How often the image is in its batch. Defaults to 1.
    """
    wrong = []
    with frozen_statistics(model, data), same_draws():
        state = remembered(model)
        with capture_per_image_losses(model) as captured:
            forward(model, data)
        restore(model, state)
        with _counts_of(model, data, state):
            for image in range(len(data['inputs'])):
                with torch.no_grad():
                    own = own_losses(model, alone(data, image, copies))
                wrong += _differences(captured, own, image)
                restore(model, state)
    return wrong


def own_losses(model: nn.Module, data: dict) -> dict[str, Tensor]:
    """Of an image that no other process has anything to do with."""
    with one_process():
        return totals(forward(model, data))


def alone(data: dict, image: int, copies: int = 1) -> dict:
    """One image of the padded batch, as often as asked for."""
    own = [image] * copies
    return {
        'inputs': data['inputs'][own],
        'data_samples': [data['data_samples'][i] for i in own],
    }


@contextmanager
def frozen_statistics(model: nn.Module, data: dict) -> Iterator[None]:
    """BatchNorm mixes the images of a batch: it keeps those of this batch."""
    layers = [
        module
        for module in model.modules()
        if isinstance(module, _BatchNorm) and module.training
    ]
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None
    with torch.no_grad():
        seed_all(0)
        forward(model, data)
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.eval()
        layer.momentum = momentum
    try:
        yield
    finally:
        for layer in layers:
            layer.train()


@contextmanager
def _counts_of(model: nn.Module, data: dict, state: State) -> Iterator[None]:
    """A head that weighs by what it has seen has seen the whole batch."""
    heads = [m for m in model.modules() if hasattr(m, _COUNTING)]
    counts: list[list] = [[] for _ in heads]
    with ExitStack() as stack:
        for head, own in zip(heads, counts, strict=True):

            def note(count: Any, *args: Any, own: list = own) -> Any:
                own.append(count(*args))
                return own[-1]

            stack.enter_context(override(head, _COUNTING, note))
        forward(model, data)
    restore(model, state)
    with ExitStack() as stack:
        for head, own in zip(heads, counts, strict=True):
            again = cycle(own)

            def replay(count: Any, *args: Any, again: Any = again) -> Any:
                return next(again)

            stack.enter_context(override(head, _COUNTING, replay))
        yield


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


def _norm(tensors: list[Tensor | None]) -> Tensor:
    norms = [t.float().norm() for t in tensors if t is not None]
    return torch.stack([torch.zeros(()), *norms]).norm()


def _or_zeros(gradient: Tensor | None, parameter: Tensor) -> Tensor:
    return torch.zeros_like(parameter) if gradient is None else gradient


def _close(ours: Tensor, theirs: Tensor, relative: float, floor: Any) -> bool:
    """Also infinite and NaN values may be equal."""
    near = (ours - theirs).abs() <= relative * theirs.abs() + floor
    return bool(near) or same(ours.detach(), theirs.detach())


def _some(names: list[str]) -> str:
    more = f' and {len(names) - 3} more' if len(names) > 3 else ''
    return ', '.join(names[:3]) + more
