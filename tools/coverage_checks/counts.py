"""Counts of a step's operations and waits, on any device.

On a GPU, a small operation costs its launch and reading a value back costs a
wait, whatever the size of the images.
"""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from coverage_checks.draws import seed_all
from coverage_checks.state import remembered, restore
from coverage_checks.steps import forward
from ies_mm.losses import capture_per_image_losses

_WAITS = (
    '_local_scalar_dense',
    'equal',
    'is_nonzero',
    'masked_select',
    'nonzero',
    'unique',
)
# These launch no kernel.
_VIEWS = frozenset(
    [
        'alias',
        'as_strided',
        'chunk',
        'detach',
        'diagonal',
        'expand',
        'permute',
        'select',
        'slice',
        'split',
        'split_with_sizes',
        'squeeze',
        't',
        'transpose',
        'unbind',
        'unfold',
        'unsqueeze',
        'view',
        '_reshape_alias',
        '_unsafe_view',
    ]
)


@dataclass(frozen=True)
class Counts:
    """What the capture adds to a step.

    Attributes:
        captured (float): Operations of a captured step / of a plain step.
        weighted (float): The same, with shares.
        waits (int): Additional operations that wait for a value.
    """

    captured: float
    weighted: float
    waits: int


def counts(model: nn.Module, data: dict) -> Counts:
    """Count a plain, a captured and a weighted step, forward and backward."""
    capture = partial(capture_per_image_losses, model)
    plain = _count(model, data, nullcontext)
    ours = _count(model, data, capture)
    shares = _count(model, data, partial(capture, shares=True))
    return Counts(
        ours.operations / plain.operations,
        shares.operations / plain.operations,
        ours.waits - plain.waits,
    )


def _count(model: Any, data: dict, context: Callable[[], Any]) -> '_Counting':
    state = remembered(model)
    seed_all(1)
    model.zero_grad()
    with _Counting() as counting:
        with context():
            losses = forward(model, data)
        model.parse_losses(losses)[0].backward()
    restore(model, state)
    return counting


class _Counting(TorchDispatchMode):
    """Counts operations dispatched while it is active."""

    def __init__(self) -> None:
        super().__init__()
        self.operations = self.waits = 0

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Call ``func`` and count it."""
        name = func.overloadpacket.__name__
        self.operations += name not in _VIEWS
        self.waits += name.startswith(_WAITS)
        if name in ('index', 'index_put', 'index_put_'):
            self.waits += any(
                isinstance(i, Tensor) and i.dtype in (torch.bool, torch.uint8)
                for i in args[1]
            )
        return func(*args, **(kwargs or {}))
