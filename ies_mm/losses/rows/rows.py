"""From a loss over rows (anchors, RoIs) to one value per image.

mmdet's heads pass all rows of a batch to a loss module, which multiplies their
losses by weights, sums them and divides by ``avg_factor``. The tensor that it
sums holds the rows' losses, so these only have to be summed by image. Modules
not known to work this way are called again without reduction.
"""

from collections import defaultdict
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ies_mm.errors import UnsupportedModelError
from ies_mm.losses.capture.calls import LossCall, per_image
from ies_mm.losses.rows.loss_types import ROW_LOSSES

EPS = torch.finfo(torch.float32).eps
"""What mmdet adds to ``avg_factor`` before it divides by it."""

Calls = dict[str, list[LossCall]]
"""Name of a loss module -> its calls, in order."""


def by_name(noted: list[LossCall]) -> Calls:
    """Calls by the name of their module; empty if it was not called."""
    calls: Calls = defaultdict(list)
    for call in noted:
        calls[call.name].append(call)
    return calls


def counts(numbers: list[Any], calls: Calls) -> Tensor:
    """Numbers as float32 (N,) on the device of the outputs."""
    device = next(c[0].args[0].device for c in calls.values() if c)
    return torch.tensor(numbers, dtype=torch.float32, device=device)


def row_losses(
    calls: list[LossCall],
    to_images: Callable[[Tensor], Tensor],
    own: Tensor,
    shares: bool,
) -> tuple[Tensor, Tensor | None]:
    """Losses and shares of one term.

    Args:
        calls (list of LossCall): The term's calls in a batch, one per level.
        to_images (callable): Sums rows by image, (R,) -> (N,).
        own (Tensor): float32 (N,), the normaliser of each image alone.
        shares (bool): Whether to compute the shares.

    Returns:
        tuple: losses, float32 (N,) without gradient, and shares, (N,) with
        gradient, or None.
    """
    with torch.set_grad_enabled(shares and torch.is_grad_enabled()):
        sums = [to_images(rows) for rows in _rows_of_levels(calls)]
    # Without positives a count is zero, and a share 0 / EPS.
    normalisers = [call.kwargs['avg_factor'] + EPS for call in calls]
    return per_image(sums, [own] * len(sums), normalisers, shares)


def row_weights(call: LossCall) -> Tensor:
    """Weights of the rows, the third argument of mmdet's loss modules."""
    return call.args[2]


def rows(call: LossCall) -> Tensor:
    """The weighted loss of every row, float32 (R,), with its gradient.

    Raises:
        UnsupportedModelError: The module does not return a value per row.
    """
    value = call.unreduced()
    count = len(call.args[0])
    if isinstance(value, Tensor) and value.shape[:1] == (count,):
        # Half precision is not enough for sums over rows.
        return value.float().reshape(count, -1).sum(dim=1)
    # A wait for the device, but only if an unknown module returns a scalar.
    if isinstance(value, Tensor) and not (row_weights(call) > 0).any():
        # Box losses then return a single zero, whatever the reduction.
        return value.float().expand(count)
    raise UnsupportedModelError(
        f'{type(call.module).__name__} gives no loss per row, so there '
        'are no per-image losses; use a loss that does, such as '
        'CrossEntropyLoss, FocalLoss, L1Loss or SmoothL1Loss'
    )


def _rows_of_levels(calls: list[LossCall]) -> tuple[Tensor, ...]:
    """The weighted losses of each call's rows, float32 (R,)."""
    summed = [_summed_up(call) for call in calls]
    known = tuple(losses for losses in summed if losses is not None)
    return known if len(known) == len(calls) else _asked_again(calls)


def _summed_up(call: LossCall) -> Tensor | None:
    """The rows' losses from the call itself, if its module is known."""
    losses = call.reduced
    if type(call.module) not in ROW_LOSSES or losses is None:
        return None
    count = len(call.args[0])
    if losses.shape[:1] != (count,):
        return None
    weight = float(getattr(call.module, 'loss_weight', 1.0))
    sums = losses.float().reshape(count, -1).sum(dim=1)
    return sums if weight == 1.0 else sums * weight


def _asked_again(calls: list[LossCall]) -> tuple[Tensor, ...]:
    """The rows' losses from one re-evaluation of the module.

    One call on all levels is much cheaper than one call per level.
    """
    first = calls[0]
    levels = zip(*(call.args for call in calls), strict=True)
    joined = LossCall(
        first.name,
        first.module,
        tuple(torch.cat(level) for level in levels),
        first.kwargs,
        None,
        first.state,
    )
    lengths = [len(call.args[0]) for call in calls]
    return rows(joined).split(lengths)
