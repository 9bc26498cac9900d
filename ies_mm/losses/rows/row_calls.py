"""Per-image losses from the rows of a head's own loss calls.

A head's term is a sum over rows (anchors, points, queries), divided by a
count of the batch. The losses of the rows are already in the tensors that the
loss modules summed. Summed by image and divided by the image's own count,
they give the loss of each image alone. Nothing is re-evaluated.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ies_mm.errors import UnsupportedModelError
from ies_mm.losses.capture.calls import LossCall
from ies_mm.losses.tracing.origin import Origin, concatenated

Pairs = Sequence[tuple[Origin, Tensor]]


@dataclass(frozen=True)
class RowCalls:
    """The calls of a head's loss modules in one batch.

    Attributes:
        calls (tuple of LossCall): The calls, in order.
        images (int): N.
        device (torch.device): Device of the outputs.
        prefix (str): Prefix of the terms' names, ``'d0.'`` in a decoder
            layer. Defaults to ''.
    """

    calls: tuple[LossCall, ...]
    images: int
    device: torch.device
    prefix: str = ''

    def of(self, module: str, unreduced: bool = False) -> list[LossCall]:
        """Calls of one loss module; empty if it was not called.

        Args:
            module (str): Name of the module.
            unreduced (bool): Whether to return the calls without reduction,
                which some heads use only to rank or weight rows. Defaults to
                False.
        """
        return [
            call
            for call in self.calls
            if call.name == module and call.is_unreduced == unreduced
        ]

    def rows(self, module: str) -> Tensor:
        """Number of rows of each image, float32 (N,)."""
        calls = self.of(module) or self.of(module, unreduced=True)
        origins = [origin_of(call) for call in calls]
        if not origins:
            return self.zeros()
        return concatenated(origins).counts(self.device)

    def weights(self, module: str) -> Tensor:
        """Sum of the weights of each image's rows, float32 (N,)."""
        return self._summed(module, lambda c: c.argument(2, 'weight'))

    def weighted_rows(self, module: str) -> Tensor:
        """Number of rows of each image of weight > 0, float32 (N,)."""
        return self._summed(module, lambda c: _first_of(c) > 0)

    def targets(self, module: str, value: Callable[[Any], Tensor]) -> Tensor:
        """Sum over each image's targets, float32 (N,).

        Args:
            module (str): Name of the loss module.
            value (callable): Targets of a call -> values to sum, (R, ...).
        """
        return self._summed(module, lambda c: value(c.argument(1, 'target')))

    def positives(self, module: str, classes: int) -> Tensor:
        """Number of foreground rows of each image, float32 (N,)."""

        def positive(target: Any) -> Tensor:
            labels = target[0] if isinstance(target, tuple) else target
            return (labels >= 0) & (labels < classes)

        return self.targets(module, positive)

    def zeros(self) -> Tensor:
        """Zeros, float32 (N,)."""
        return torch.zeros(self.images, device=self.device)

    def _summed(
        self, module: str, values: Callable[[LossCall], Tensor]
    ) -> Tensor:
        pairs = [(origin_of(call), values(call)) for call in self.of(module)]
        with torch.no_grad():
            return added(pairs) if pairs else self.zeros()


def _first_of(call: LossCall) -> Tensor:
    """The weight of each row, taken from its first value."""
    weight: Tensor = call.argument(2, 'weight')
    # mmdet repeats a box's weight for each of its coordinates.
    return weight.flatten(1)[:, 0] if weight.dim() > 1 else weight


def origin_of(call: LossCall) -> Origin:
    """The images of a call's rows.

    Raises:
        UnsupportedModelError: They could not be traced.
    """
    if call.origin is None:
        raise UnsupportedModelError(
            f'no per-image losses: which image a row of {call.name} belongs '
            'to cannot be told; docs/adapters.md says how to register an '
            'adapter that asks image by image'
        )
    return call.origin


def added(pairs: Pairs) -> Tensor:
    """Sum of each image's values over several calls, float32 (N,).

    Args:
        pairs (sequence): Origin and values (R, ...) of every call.
    """
    scattered = [pair for pair in pairs if not pair[0].blocks]
    sums = [origin.sums(v) for origin, v in pairs if origin.blocks]
    if scattered:
        # One index_add for all calls, instead of one per level or layer.
        origins, values = zip(*scattered, strict=True)
        rows = [_row_sums(value) for value in values]
        joined = rows[0] if len(rows) == 1 else torch.cat(rows)
        sums.append(concatenated(origins).sums(joined))
    return sums[0] if len(sums) == 1 else torch.stack(sums).sum(0)


def _row_sums(values: Tensor) -> Tensor:
    if values.dim() == 1:
        return values
    return values.flatten(1).sum(dim=1, dtype=torch.float32)


def unnormalised(
    calls: Sequence[LossCall], unreduced: bool, zeros: Tensor
) -> Tensor:
    """The losses of each image before normalisation, float32 (N,).

    Args:
        calls (sequence of LossCall): The calls of one term.
        unreduced (bool): Whether they return a loss per row.
        zeros (Tensor): (N,), returned if there is no call.
    """
    if not calls:
        return zeros
    pairs = [(origin_of(call), _row_losses(call, unreduced)) for call in calls]
    sums = added(pairs)
    # What a module reduces lacks its loss_weight; what it returns has it.
    weight = float(getattr(calls[0].module, 'loss_weight', 1.0))
    return sums if unreduced or weight == 1.0 else sums * weight


def _row_losses(call: LossCall, unreduced: bool) -> Tensor:
    """The losses that the call summed or returned, (R, ...)."""
    losses: Tensor | None = call.output if unreduced else call.reduced
    if losses is None or len(losses) != origin_of(call).rows:
        raise UnsupportedModelError(
            f'{type(call.module).__name__} gives no loss per row, so there '
            'are no per-image losses; use a loss that does, such as '
            'CrossEntropyLoss, FocalLoss, L1Loss or SmoothL1Loss'
        )
    return losses if call.factor == 1 else losses * call.factor


def parts_of(batch: Tensor, sums: Tensor) -> Tensor:
    """Shares of a batch loss, in proportion to the images' sums of rows.

    A head divides all rows of a term by the same number, which need not be
    known.

    Args:
        batch (Tensor): The term's loss, a scalar.
        sums (Tensor): (N,), the sums before normalisation, with gradient.

    Returns:
        Tensor: (N,), adding up to ``batch``.
    """
    total = sums.detach().sum()
    # Masked, not branched upon: a condition would wait for the device.
    empty = total == 0
    ratio = batch.detach().float() / total.masked_fill(empty, 1)
    return sums * ratio.masked_fill(empty, 0)
