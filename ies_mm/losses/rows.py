"""From a loss over rows (anchors, RoIs) to one value per image.

mmdet's heads hand all rows of a batch to a loss module, which multiplies them
by their weights, adds them up and divides by ``avg_factor``. Noting the call
and asking the module again without reduction gives the same rows' losses;
adding them up image by image is all that is left to do.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ies_mm.errors import UnsupportedModelError


@dataclass(frozen=True)
class LossCall:
    """One call of a loss module: ``module(pred, target, weight, ...)``."""

    module: nn.Module
    args: tuple
    kwargs: dict[str, Any]

    @property
    def weight(self) -> Tensor:
        """Weights of the rows."""
        return self.args[2]

    @property
    def normaliser(self) -> Any:
        """What the batch's sum is divided by."""
        return self.kwargs['avg_factor']

    def rows(self) -> Tensor:
        """The weighted loss of every row, (R,), with its gradient.

        Raises:
            UnsupportedModelError: The module gives no value per row.
        """
        whole = {'avg_factor': None, 'reduction_override': 'none'}
        # Past the hooks, which would note this call too.
        value = self.module.forward(*self.args, **self.kwargs | whole)
        rows = len(self.args[0])
        if isinstance(value, Tensor) and value.shape[:1] == (rows,):
            return value.flatten(1).sum(dim=1) if value.dim() > 1 else value
        if isinstance(value, Tensor) and not (self.weight > 0).any():
            # Box losses then return one zero, whatever reduction is asked.
            return value.expand(rows)
        raise UnsupportedModelError(
            f'{type(self.module).__name__} gives no loss per row, so there '
            'are no per-image losses; use a loss that does, such as '
            'CrossEntropyLoss, FocalLoss, L1Loss or SmoothL1Loss'
        )


LossCalls = dict[str, list[LossCall]]


@contextmanager
def noted_calls(head: nn.Module) -> Iterator[LossCalls]:
    """Note the calls of ``head.loss_cls``, ``head.loss_bbox``, ...

    Yields:
        dict: Name of the child -> its calls, filled while the context is
        open.
    """
    calls: LossCalls = defaultdict(list)
    with ExitStack() as stack:
        for name, module in head.named_children():
            if name.startswith('loss'):
                handle = module.register_forward_pre_hook(
                    _noting(calls[name]), with_kwargs=True
                )
                stack.callback(handle.remove)
        yield calls


def per_image(
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
        sums = [to_images(rows) for rows in _rows(calls)]
    losses = torch.stack([part.detach() for part in sums]).sum(0) / own
    if not shares:
        return losses, None
    parts = [
        part / call.normaliser for part, call in zip(sums, calls, strict=True)
    ]
    return losses, torch.stack(parts).sum(0)


def _rows(calls: list[LossCall]) -> tuple[Tensor, ...]:
    """The rows of each call, float32, from one evaluation of the module.

    One call on all levels costs a fraction of one call on each. Sums of rows
    need more digits than half precision has.
    """
    levels = zip(*(call.args for call in calls), strict=True)
    joined = LossCall(
        calls[0].module,
        tuple(torch.cat(level) for level in levels),
        calls[0].kwargs,
    )
    lengths = [len(call.args[0]) for call in calls]
    return joined.rows().float().split(lengths)


def _noting(kept: list[LossCall]) -> Callable:
    def before(module: nn.Module, args: tuple, kwargs: dict) -> None:
        kept.append(LossCall(module, args, kwargs))

    return before
