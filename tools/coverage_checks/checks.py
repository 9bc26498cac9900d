"""Checks of captured losses, on a model and a batch.

Every check returns a list of errors, short sentences; empty if it passes.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import cycle
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from coverage_checks import proposals
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

# Tolerance between the sum of a term's shares and the term.
SHARES = 1e-5
# Of their gradient, by parameter: deep graphs, summed in another order.
GRADIENT = 1e-3
# Of an image alone: layers use other kernels for a single image.
ALONE = 1e-4
# Relative to the total loss (gradient): smaller differences do not matter in
# training, and terms of that size are all rounding.
FLOOR = 1e-6
# DDODHead's method that counts the batch's positives and weights by them.
_COUNTING = 'calc_reweight_factor'


def check_unchanged(ours: Step, theirs: Step) -> list[str]:
    """Check that the captured step equals the plain one, bit for bit."""
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
    """Check that all terms of the model have one value per image."""
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
    """Check that scoring gives the held training loss and leaves no trace."""
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
    """Check that the shares of a batch add up to its loss, term by term."""
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
    """Check that the summed shares have the gradient of the loss."""
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


def check_alone(
    model: nn.Module, data: dict, copies: int = 1, own_proposals: bool = True
) -> list[str]:
    """Check that an image's captured losses are the model's losses for it.

    Args:
        model (nn.Module): The model, in training mode.
        data (dict): A preprocessed batch.
        copies (int): Number of copies of the image in its own batch. Defaults
            to 1.
        own_proposals (bool): Whether the RPN proposes boxes for an image
            alone; if not, those of the batch are used. Defaults to True.
    """
    wrong = []
    with frozen_statistics(model, data), same_draws():
        state = remembered(model)
        with (
            proposals.noted(model) as noted,
            capture_per_image_losses(model) as captured,
        ):
            forward(model, data)
        found = [] if own_proposals else noted
        restore(model, state)
        with _counts_of(model, data, state):
            for image in range(len(data['inputs'])):
                try:
                    with (
                        torch.no_grad(),
                        proposals.given(
                            model, found[image : image + 1], copies
                        ),
                    ):
                        own = own_losses(model, alone(data, image, copies))
                except (AssertionError, TypeError):
                    # PointRend and HTC cannot run on an image without RoIs.
                    if not _lacks_a_loss(captured, image):
                        raise
                else:
                    wrong += _differences(captured, own, image)
                restore(model, state)
    return wrong


def _lacks_a_loss(captured: CapturedLosses, image: int) -> bool:
    missing = [values[image] for values in captured.missing.values()]
    # Of background alone, too, a classification loss is above 0.
    no_rois = [
        values[image] == 0
        for term, values in captured.losses.items()
        if term.endswith('loss_cls')
    ]
    return any(map(bool, missing + no_rois))


def own_losses(model: nn.Module, data: dict) -> dict[str, Tensor]:
    """The model's losses for an image, independent of other processes."""
    with one_process():
        return totals(forward(model, data))


def alone(data: dict, image: int, copies: int = 1) -> dict:
    """A batch of copies of one image of the padded batch."""
    own = [image] * copies
    return {
        'inputs': data['inputs'][own],
        'data_samples': [data['data_samples'][i] for i in own],
    }


@contextmanager
def frozen_statistics(model: nn.Module, data: dict) -> Iterator[None]:
    """Freeze BatchNorm, which mixes images, at this batch's statistics."""
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
    """Make heads that weight by running counts use those of the batch."""
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
    """Whether values agree; equal infinite or NaN values do."""
    near = (ours - theirs).abs() <= relative * theirs.abs() + floor
    return bool(near) or same(ours.detach(), theirs.detach())


def _some(names: list[str]) -> str:
    more = f' and {len(names) - 3} more' if len(names) > 3 else ''
    return ', '.join(names[:3]) + more
