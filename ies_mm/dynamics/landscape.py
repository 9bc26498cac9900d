"""Sharpness and curvature of the loss around the weights, in plain torch."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

Vector = list[Tensor]
"""A vector in weight space, one tensor per parameter."""

STEP = 0.05
"""Step length for gradient differences, |v| = 1.

Equals the paper's rho, so both measures look equally far. A much smaller step
is no better: the gradient of a network with ReLU or max pooling has many
jumps, as has that of a detector whose proposals change with the weights, and
a jump is divided by the step; see docs/dynamics.md.
"""


class Landscape(Protocol):
    """A loss as a function of weights that can be moved.

    Attributes:
        parameters (sequence of Tensor): The weights; moved in place and
            restored bit for bit.
    """

    @property
    def parameters(self) -> Sequence[Tensor]: ...

    def loss(self) -> float:
        """The loss at the current weights."""

    def gradient(self) -> Vector:
        """Its gradient at the current weights."""

    def hessian_product(self, vector: Vector) -> Vector:
        """Its Hessian at the current weights times a vector of norm 1."""


@dataclass(frozen=True)
class Eigenvalue:
    """The result of power iterations.

    Attributes:
        value (float): The Rayleigh quotient v'Hv of the last vector.
        residual (float): |Hv - value v|; some eigenvalue of H is within this
            distance of ``value``.
    """

    value: float
    residual: float


def norm(vector: Sequence[Tensor]) -> Tensor:
    """The Euclidean norm over all tensors, a scalar on their device.

    Args:
        vector (sequence of Tensor): At least one.
    """
    # Scaled float16 gradients can have a norm beyond float16's range.
    norms = [torch.linalg.vector_norm(part.float()) for part in vector]
    return torch.linalg.vector_norm(torch.stack(norms))


@contextmanager
def moved(
    parameters: Sequence[Tensor], direction: Vector, length: float
) -> Iterator[None]:
    """Move the weights by ``length * direction`` while the context is open.

    They are restored from a copy: subtracting again would round.
    """
    own = [parameter.detach().clone() for parameter in parameters]
    try:
        with torch.no_grad():
            for parameter, part in zip(parameters, direction, strict=True):
                parameter.add_(part, alpha=length)
        yield
    finally:
        with torch.no_grad():
            for parameter, before in zip(parameters, own, strict=True):
                parameter.copy_(before)


def sam_value(landscape: Landscape, rho: float) -> float:
    """How much the loss rises within ``rho`` of the weights, to first order.

    ``L(w + rho g / |g|) - L(w)`` with the gradient ``g`` at ``w`` (Foret et
    al. 2021, as in appendix B.5 of the IES paper). Zero if ``g`` is zero.

    Args:
        landscape (Landscape): The loss at the current weights.
        rho (float): Euclidean length of the step.
    """
    gradient = landscape.gradient()
    length = float(norm(gradient))
    if not length:
        return 0.0
    before = landscape.loss()
    with moved(landscape.parameters, gradient, rho / length):
        return landscape.loss() - before


def exact_product(
    losses: Iterable[Tensor], parameters: Sequence[Tensor], vector: Vector
) -> Vector:
    """``Hv`` of a sum of losses, each differentiated twice.

    Args:
        losses (iterable of Tensor): Scalars with a graph; only one is held at
            a time.
        parameters (sequence of Tensor): The weights, without gradients.
        vector (list of Tensor): v.

    Raises:
        RuntimeError: An operation has no second derivative.
    """
    for loss in losses:
        gradient = torch.autograd.grad(
            loss, parameters, create_graph=True, allow_unused=True
        )
        pairs = zip(gradient, vector, strict=True)
        slopes = [(g * v).sum() for g, v in pairs if g is not None]
        slope = torch.stack(slopes).sum()
        if slope.requires_grad:  # Otherwise the loss is linear in weights.
            # Not autograd.grad: it only visits nodes on the way to the
            # weights, and misses those that report a missing derivative.
            slope.backward()
    return taken(parameters)


def taken(parameters: Sequence[Tensor]) -> Vector:
    """Take the accumulated gradients, zero where there is none.

    Args:
        parameters (sequence of Tensor): Their gradients are set to None.
    """
    gradients = [
        torch.zeros_like(parameter)
        if parameter.grad is None
        else parameter.grad
        for parameter in parameters
    ]
    for parameter in parameters:
        parameter.grad = None
    return gradients


def difference_product(
    landscape: Landscape, vector: Vector, step: float = STEP
) -> Vector:
    """``Hv`` as a central difference of gradients.

    Args:
        landscape (Landscape): The loss at the current weights.
        vector (list of Tensor): v, of norm 1.
        step (float): Step length. Defaults to ``STEP``.
    """
    with moved(landscape.parameters, vector, step):
        ahead = landscape.gradient()
    with moved(landscape.parameters, vector, -step):
        behind = landscape.gradient()
    return [
        (plus - minus) / (2 * step)
        for plus, minus in zip(ahead, behind, strict=True)
    ]


def top_eigenvalue(
    landscape: Landscape, iterations: int = 20, seed: int = 0
) -> Eigenvalue:
    """The Hessian's eigenvalue of largest magnitude, by power iterations.

    As in appendix B.5 of the IES paper: 20 iterations from a random vector.
    The sign is kept: a negative value means that the strongest curvature is
    downward.

    Args:
        landscape (Landscape): The loss at the current weights.
        iterations (int): Number of Hessian products. Defaults to 20.
        seed (int): Seed of the initial vector. Defaults to 0.
    """
    vector = _random_direction(landscape.parameters, seed)
    found = Eigenvalue(0.0, 0.0)
    for _ in range(iterations):
        image = landscape.hessian_product(vector)
        found = _rayleigh(vector, image)
        length = float(norm(image))
        if not length:
            break
        vector = [part / length for part in image]
    return found


def _random_direction(parameters: Sequence[Tensor], seed: int) -> Vector:
    """A random vector of norm 1, the same on every device."""
    # On the CPU: a GPU's generator gives other numbers for the same seed.
    generator = torch.Generator().manual_seed(seed)
    vector = [
        torch.randn(p.shape, generator=generator).to(p) for p in parameters
    ]
    length = float(norm(vector))
    return [part / length for part in vector]


def _rayleigh(vector: Vector, image: Vector) -> Eigenvalue:
    """Eigenvalue estimate from a vector of norm 1 and its image."""
    # Products of both signs cancel, so they are added in float64.
    value = sum(
        float((one * other).double().sum())
        for one, other in zip(vector, image, strict=True)
    )
    rest = [
        other - value * one for one, other in zip(vector, image, strict=True)
    ]
    return Eigenvalue(value, float(norm(rest)))
