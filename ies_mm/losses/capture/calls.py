"""Calls of loss modules, recorded while a head computes its losses.

A loss module takes the predictions and targets of a whole batch and returns
one number. There are two ways to get the values behind it: calling the module
again without reduction (:meth:`LossCall.unreduced`), or taking the tensor that
it reduced in the original call (``LossCall.reduced``). The latter is free,
which matters when there is one value per pixel.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from ies_mm.losses.capture.patching import override
from ies_mm.losses.tracing.follow import rows_of, untraced
from ies_mm.losses.tracing.origin import Origin


@dataclass(frozen=True)
class LossCall:
    """One call of a loss module.

    Attributes:
        name (str): Name of the module in its head.
        module (nn.Module): The loss module.
        args (tuple): Positional arguments: predictions, targets, ...
        kwargs (dict): Keyword arguments.
        output (Tensor): The value it returned.
        state (dict): Its buffers before the call.
        reduced (Tensor, optional): The last tensor that it summed or
            averaged, before multiplication by ``loss_weight``.
        origin (Origin, optional): The images of the predictions' rows, if
            they were traced.
        factor (float): What the head multiplies the output by. Defaults to 1.
    """

    name: str
    module: nn.Module
    args: tuple
    kwargs: dict[str, Any]
    output: Any
    state: dict[str, Tensor] = field(default_factory=dict)
    reduced: Tensor | None = None
    origin: Origin | None = None
    factor: float = 1.0

    @property
    def is_unreduced(self) -> bool:
        """Whether it was called without reduction."""
        return self.kwargs.get('reduction_override') == 'none'

    def argument(self, place: int, name: str) -> Any:
        """An argument by position or name; None if it was not given."""
        if len(self.args) > place:
            return self.args[place]
        return self.kwargs.get(name)

    def unreduced(self) -> Tensor:
        """The values before reduction.

        A stateful module (SeesawLoss counts classes) is restored to its state
        before the call, so that calling it again ends in its current state.
        """
        for name, value in self.state.items():
            self.module.get_buffer(name).copy_(value)
        whole = {'avg_factor': None, 'reduction_override': 'none'}
        return self.again(*self.args, **self.kwargs | whole)

    def again(self, *args: Any, **kwargs: Any) -> Any:
        """Call the module's ``forward``, bypassing hooks and recording."""
        return type(self.module).forward(self.module, *args, **kwargs)


@contextmanager
def noted_calls(head: nn.Module) -> Iterator[list[LossCall]]:
    """Record the calls of ``head.loss_cls``, ``head.loss_decode.0``, ...

    Yields:
        list of LossCall: In call order, filled while the context is open.
    """
    calls: list[LossCall] = []
    with ExitStack() as stack:
        for name, module in loss_modules(head).items():
            noting = _noting(name, module, calls)
            stack.enter_context(override(module, 'forward', noting))
        yield calls


def loss_modules(head: nn.Module) -> dict[str, nn.Module]:
    """The loss modules of a head, including those in a ModuleList."""
    found: dict[str, nn.Module] = {}
    for name, module in head.named_children():
        if 'loss' not in name.split('_'):
            continue
        if isinstance(module, nn.ModuleList):
            found |= {f'{name}.{i}': loss for i, loss in enumerate(module)}
        else:
            found[name] = module
    return found


def per_image(
    sums: list[Tensor],
    own: list[Tensor],
    normalisers: list[Any],
    shares: bool,
) -> tuple[Tensor, Tensor | None]:
    """Losses and shares of a term that is the sum of several calls.

    Args:
        sums (list of Tensor): For each call, (N,), the sum over each image.
        own (list of Tensor): For each call, (N,), the normaliser of each
            image alone.
        normalisers (list): For each call, the normaliser of the batch.
        shares (bool): Whether to compute the shares.

    Returns:
        tuple: losses, float32 (N,) without gradient, and shares, (N,) with
        gradient, or None.
    """
    alone = [
        part.detach() / count for part, count in zip(sums, own, strict=True)
    ]
    losses = torch.stack(alone).sum(0)
    if not shares:
        return losses, None
    parts = [
        part / count for part, count in zip(sums, normalisers, strict=True)
    ]
    return losses, torch.stack(parts).sum(0)


class Reductions(TorchFunctionMode):
    """Records the tensors that are summed or averaged to one number."""

    def __init__(self) -> None:
        super().__init__()
        self.tensors: list[Tensor] = []

    def __torch_function__(
        self,
        func: Callable,
        types: Any,
        args: tuple = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Call ``func`` unchanged."""
        # The methods that OpenMMLab's weight_reduce_loss calls; torch.sum is
        # another function, which losses use to compute a row (DiceLoss).
        if func in (Tensor.sum, Tensor.mean) and len(args) == 1:
            self.tensors.append(args[0])
        return func(*args, **(kwargs or {}))


def _noting(name: str, module: nn.Module, calls: list[LossCall]) -> Callable:
    def forward(original: Callable, *args: Any, **kwargs: Any) -> Any:
        # Cloned, as the call may count in place (SeesawLoss).
        state = {n: b.clone() for n, b in module.named_buffers()}
        origin = rows_of(args[0]) if args else None
        # The argument tells the rows, so nothing inside has to be traced;
        # untraced does not switch off modes such as Reductions.
        with untraced(), Reductions() as reductions:
            output = original(*args, **kwargs)
        # Losses may sum counts or weights first; they reduce at the end.
        last = reductions.tensors[-1] if reductions.tensors else None
        calls.append(
            LossCall(name, module, args, kwargs, output, state, last, origin)
        )
        return output

    return forward
