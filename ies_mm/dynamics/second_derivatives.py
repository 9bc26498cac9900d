"""Second derivatives for operations that lack them."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ies_mm.losses.capture.patching import override

ROI_ALIGN = 'mmcv.ops.roi_align.RoIAlign'

CONSTANT_GRADIENTS = frozenset(
    f'mmcv.ops.{name}'
    for name in (
        'carafe',
        'focal_loss.SoftmaxFocalLoss',
        'psa_mask',
        'riroi_align_rotated',
        'roi_align_rotated',
        'tin_shift',
    )
)
"""Operations whose gradients torch treats as constant, without an error.

All other mmcv operations without a second derivative raise one.
"""


def can_be_exact(model: nn.Module) -> bool:
    """Whether no part of a model silently lacks a second derivative."""
    return not any(
        # By prefix, as most names are modules, and for all base classes.
        f'{kind.__module__}.{kind.__qualname__}'.startswith(name)
        for module in model.modules()
        for kind in type(module).__mro__
        for name in CONSTANT_GRADIENTS
    )


@contextmanager
def twice_differentiable(model: nn.Module) -> Iterator[None]:
    """Give the RoIAlign layers of a model a second derivative.

    Average pooling over a RoI is linear in the features, so its derivative
    is its adjoint, whose derivative is the pooling. Values are unchanged, bit
    for bit.

    Args:
        model (nn.Module): The model.
    """

    def forward(original: Callable, features: Tensor, rois: Tensor) -> Any:
        # As in mmcv, boxes get no gradient.
        return Linear.apply(lambda x: original(x, rois.detach()), features)

    with ExitStack() as stack:
        for module in model.modules():
            if _is_linear(module):
                stack.enter_context(override(module, 'forward', forward))
        yield


def _is_linear(module: nn.Module) -> bool:
    kind = type(module)
    named = f'{kind.__module__}.{kind.__qualname__}'
    # Max pooling is not linear, and a subclass may compute something else.
    return named == ROI_ALIGN and module.pool_mode == 'avg'


class Linear(torch.autograd.Function):
    """A linear operation, made differentiable any number of times."""

    @staticmethod
    def forward(ctx: Any, operation: Callable, inputs: Tensor) -> Tensor:
        """``operation(inputs)``."""
        ctx.operation, ctx.like = operation, inputs.detach()
        return operation(inputs)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple:
        """The adjoint of the operation."""
        return None, Adjoint.apply(ctx.operation, ctx.like, *gradients)


class Adjoint(torch.autograd.Function):
    """The adjoint of a linear operation that is differentiable once."""

    @staticmethod
    def forward(
        ctx: Any, operation: Callable, like: Tensor, gradient: Tensor
    ) -> Tensor:
        """Its gradient with respect to inputs shaped like ``like``."""
        ctx.operation = operation
        # PyTorch switches gradients off in a Function's forward. The adjoint
        # of a linear operation is the same at any input, hence zeros.
        with torch.enable_grad():
            inputs = torch.zeros_like(like, requires_grad=True)
            outputs = operation(inputs)
        return torch.autograd.grad(outputs, inputs, gradient)[0]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple:
        """The operation itself."""
        return None, None, Linear.apply(ctx.operation, *gradients)
