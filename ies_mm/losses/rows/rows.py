"""From a loss over rows (anchors, RoIs) to one value per image.

mmdet's heads hand all rows of a batch to a loss module, which multiplies them
by their weights, adds them up and divides by ``avg_factor``. What it adds up
are the rows' losses; adding them up image by image is all that is left to do.
Of a module that is not known to do so they are had by asking it again without
reduction.
"""

from collections import defaultdict
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ies_mm.errors import UnsupportedModelError
from ies_mm.losses.capture.calls import LossCall, per_image
from ies_mm.losses.rows.loss_types import ROW_LOSSES

Calls = dict[str, list[LossCall]]
"""Name of a loss module -> its calls, in order."""


def by_name(noted: list[LossCall]) -> Calls:
    """Calls by the name of their module; none where it was not called."""
    calls: Calls = defaultdict(list)
    for call in noted:
        calls[call.name].append(call)
    return calls


def counts(numbers: list[Any], calls: Calls) -> Tensor:
    """float32 (N,) on the device of the outputs."""
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
        to_images (callable): Adds rows up, (R,) -> (N,).
        own (Tensor): float32 (N,), what each image alone would be divided by.
        shares (bool): Whether the shares are wanted.

    Returns:
        tuple: losses, float32 (N,) without gradient, and shares, (N,) with
        gradient, or None.
    """
    with torch.set_grad_enabled(shares and torch.is_grad_enabled()):
        sums = [to_images(rows) for rows in _rows_of_levels(calls)]
    normalisers = [call.kwargs['avg_factor'] for call in calls]
    return per_image(sums, [own] * len(sums), normalisers, shares)


def row_weights(call: LossCall) -> Tensor:
    """Weights of the rows, the third argument of mmdet's loss modules."""
    return call.args[2]


def rows(call: LossCall) -> Tensor:
    """The weighted loss of every row, float32 (R,), with its gradient.

    Raises:
        UnsupportedModelError: The module gives no value per row.
    """
    value = call.unreduced()
    count = len(call.args[0])
    if isinstance(value, Tensor) and value.shape[:1] == (count,):
        # Sums of rows need more digits than half precision has.
        return value.float().reshape(count, -1).sum(dim=1)
    if isinstance(value, Tensor) and not (row_weights(call) > 0).any():
        # Box losses then return one zero, whatever reduction is asked.
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
    """The rows from the call itself, where its module is known."""
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
    """From one evaluation of the module.

    One call on all levels costs a fraction of one call on each.
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
