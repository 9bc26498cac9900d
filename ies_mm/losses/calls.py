"""Calls of loss modules, noted while a head computes its losses.

A loss module gets predictions and targets of a whole batch and gives one
number. Noting the call and asking the module again without reduction gives
the values that the number was made of.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class LossCall:
    """One call of a loss module.

    Attributes:
        name (str): Name of the module in its head.
        module (nn.Module): The loss module.
        args (tuple): What it was given: predictions, targets, ...
        kwargs (dict): What it was given by name.
        output (Tensor): What it returned.
        state (dict): Its buffers as they were before the call.
    """

    name: str
    module: nn.Module
    args: tuple
    kwargs: dict[str, Any]
    output: Any
    state: dict[str, Tensor] = field(default_factory=dict)

    def unreduced(self) -> Tensor:
        """The values before their reduction.

        A module with a state (SeesawLoss counts classes) is asked again from
        the state that it had, and so ends in the state that it has.
        """
        for name, value in self.state.items():
            self.module.get_buffer(name).copy_(value)
        whole = {'avg_factor': None, 'reduction_override': 'none'}
        # Past the hooks, which would note this call too.
        return self.module.forward(*self.args, **self.kwargs | whole)


@contextmanager
def noted_calls(head: nn.Module) -> Iterator[list[LossCall]]:
    """Note the calls of ``head.loss_cls``, ``head.loss_decode.0``, ...

    Yields:
        list of LossCall: In order, filled while the context is open.
    """
    calls: list[LossCall] = []
    with ExitStack() as stack:
        for name, module in loss_modules(head).items():
            states: list[dict[str, Tensor]] = []
            before = module.register_forward_pre_hook(_keeping_state(states))
            after = module.register_forward_hook(
                _noting(name, states, calls), with_kwargs=True
            )
            stack.callback(before.remove)
            stack.callback(after.remove)
        yield calls


def loss_modules(head: nn.Module) -> dict[str, nn.Module]:
    """The loss modules of a head, also those in a list."""
    found: dict[str, nn.Module] = {}
    for name, module in head.named_children():
        if not name.startswith('loss'):
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
    """Losses and shares of a term that several calls add up to.

    Args:
        sums (list of Tensor): Of each call, (N,), summed over the image.
        own (list of Tensor): Of each call, (N,), what an image alone would
            be divided by.
        normalisers (list): Of each call, what the batch's sum is divided by.
        shares (bool): Whether the shares are wanted.

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


def _keeping_state(states: list[dict[str, Tensor]]) -> Callable:
    def before(module: nn.Module, args: tuple) -> None:
        states.append({n: b.clone() for n, b in module.named_buffers()})

    return before


def _noting(
    name: str, states: list[dict[str, Tensor]], calls: list[LossCall]
) -> Callable:
    def after(
        module: nn.Module, args: tuple, kwargs: dict, output: Any
    ) -> None:
        calls.append(
            LossCall(name, module, args, kwargs, output, states.pop())
        )

    return after
