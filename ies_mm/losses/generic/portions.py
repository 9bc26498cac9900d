"""Shares of a batch loss, derived from the losses of the images alone.

In the batch, an image's loss is divided by the batch's normaliser. That
scales it by a factor r: share = r * loss. The gradients with respect to the
image's outputs differ by the same factor, so

    r = <g, h> / <h, h>,  g of the batch loss, h of the image's own loss.

Images whose loss has no gradient with respect to their outputs (nothing to
learn, or a loss of parameters only) split the rest of the batch loss in
proportion to their losses.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ies_mm.losses.generic.slicing import like

_SCALE = 2.0**16
"""The factor with which torch's GradScaler begins."""

Call = tuple[tuple, dict[str, Any]]
Slices = Callable[[Call], list[Call]]


def share_of_images(
    batch: Tensor,
    alone: Tensor,
    call: Call,
    slices: Slices,
    parts: list[Call],
) -> Tensor:
    """The images' shares of a batch loss.

    Args:
        batch (Tensor): The batch loss, a scalar.
        alone (Tensor): (N,), the loss of each image alone, with gradient.
        call (tuple): The arguments ``batch`` was computed from.
        slices (callable): Arguments -> arguments of each image.
        parts (list): The arguments ``alone`` was computed from.

    Returns:
        Tensor: (N,), adding up to ``batch``, with gradient.
    """
    # Gradients have the shapes of the arguments, so they are sliced alike.
    gradients = slices(_gradients_of(batch, call))
    own = [
        _products(loss, part, gradient)
        for loss, part, gradient in zip(alone, parts, gradients, strict=True)
    ]
    dots, squares = torch.stack(own).unbind(dim=1)
    known = squares > 0
    ratio = (dots / squares.where(known, 1)).to(alone)
    values = alone.detach()
    # Masked rather than indexed, which would wait for the device.
    left = batch.detach() - (ratio * values).where(known, 0).sum()
    unknown = values.where(~known, 0).sum()
    # If all these losses are zero, so are their shares, whatever the factor.
    rest = left / unknown.where(unknown != 0, 1)
    # The factors carry no graph: gradients flow through the image's own loss.
    return torch.where(known, ratio, rest) * alone


def _gradients_of(loss: Tensor, call: Call) -> Call:
    """The same arguments, with tensors replaced by their gradients."""
    tensors = [tensor for tensor in tensors_of(call) if tensor.requires_grad]
    gradients = _gradients(loss, tensors)
    found = {id(t): g for t, g in zip(tensors, gradients, strict=True)}
    # Tensors without gradient stay, since slicing needs all arguments.
    return _mapped(call, lambda tensor: found.get(id(tensor), tensor))


def _products(loss: Tensor, part: Call, gradient: Call) -> Tensor:
    """<g, h> and <h, h> of one image, float32 (2,), up to a common factor.

    Scaled by the maximum of abs(h), so that squares of small gradients do not
    underflow; not every device has double precision.
    """
    pairs = zip(tensors_of(part), tensors_of(gradient), strict=True)
    theirs = [(own, g) for own, g in pairs if own.requires_grad]
    own = _gradients(loss, [tensor for tensor, _ in theirs])
    total = torch.zeros(2, device=loss.device)
    if not own:
        return total
    # amax refuses an empty tensor.
    sizes = [h.abs().amax().float() for h in own if h.numel()]
    largest = torch.stack([*sizes, total[0]]).amax()
    scale = largest.where(largest > 0, 1)
    for h, (_, g) in zip(own, theirs, strict=True):
        h, g = h.float() / scale, g.float() / scale
        total += torch.stack([(g * h).sum(), (h * h).sum()])
    return total


def _gradients(loss: Tensor, tensors: list[Tensor]) -> list[Tensor]:
    if not tensors or not loss.requires_grad:
        return [torch.zeros_like(tensor) for tensor in tensors]
    gradients = _raw_gradients(loss, tensors)
    if not any(tensor.dtype == torch.float16 for tensor in tensors):
        return gradients
    # In half precision those of a mean over many elements underflow, as
    # nothing scales the loss here; scaled, those of a sum may overflow.
    scaled = _raw_gradients(loss * _SCALE, tensors)
    return [
        (s.float() / _SCALE).where(s.isfinite().all(), g.float())
        for s, g in zip(scaled, gradients, strict=True)
    ]


def _raw_gradients(loss: Tensor, tensors: list[Tensor]) -> list[Tensor]:
    # Retained, as the training's own backward pass comes later.
    gradients = torch.autograd.grad(
        loss, tensors, retain_graph=True, allow_unused=True
    )
    pairs = zip(gradients, tensors, strict=True)
    return [torch.zeros_like(t) if g is None else g for g, t in pairs]


def tensors_of(value: Any) -> list[Tensor]:
    """The tensors in nested arguments, in order."""
    found: list[Tensor] = []

    def note(tensor: Tensor) -> Tensor:
        found.append(tensor)
        return tensor

    _mapped(value, note)
    return found


def _mapped(value: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """Nested arguments with ``change`` applied to their tensors."""
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, dict):
        return {key: _mapped(part, change) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return like(value, [_mapped(part, change) for part in value])
    return value
