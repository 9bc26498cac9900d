"""Curvature and sharpness of known losses."""

import pytest
import torch
from scipy.sparse.linalg import LinearOperator, eigsh
from torch import Tensor, nn

from ies_mm.dynamics.landscape import (
    Vector,
    difference_product,
    exact_product,
    moved,
    norm,
    sam_value,
    top_eigenvalue,
)


class Loss:
    """A loss of given weights; ``exact`` or by finite differences."""

    def __init__(self, parameters, loss, exact: bool = True) -> None:
        self.parameters = list(parameters)
        self.of_weights = loss
        self.exact = exact

    def loss(self) -> float:
        return self.of_weights().item()

    def gradient(self) -> Vector:
        return list(torch.autograd.grad(self.of_weights(), self.parameters))

    def hessian_product(self, vector: Vector) -> Vector:
        if self.exact:
            losses = [self.of_weights()]
            return exact_product(losses, self.parameters, vector)
        return difference_product(self, vector)


def matrix(spectrum: list[float]) -> Tensor:
    """A symmetric matrix with these eigenvalues."""
    torch.manual_seed(1)
    basis, _ = torch.linalg.qr(torch.randn(len(spectrum), len(spectrum)))
    return basis @ torch.diag(torch.tensor(spectrum).float()) @ basis.T


def quadratic(spectrum: list[float], exact: bool = True) -> Loss:
    """w'Aw / 2 + b'w, with w split into two tensors."""
    a = matrix(spectrum)
    b = torch.linspace(-1, 1, len(spectrum))
    parts = [
        torch.full((2,), 0.3, requires_grad=True),
        torch.full((len(spectrum) - 2, 1), -0.2, requires_grad=True),
    ]

    def loss() -> Tensor:
        w = torch.cat([part.flatten() for part in parts])
        return w @ a @ w / 2 + b @ w

    return Loss(parts, loss, exact)


def flat(vector: Vector) -> Tensor:
    return torch.cat([part.flatten() for part in vector])


@pytest.mark.parametrize('exact', [True, False])
@pytest.mark.parametrize(
    'spectrum', [[0.1, 0.5, 1, 2, 8], [-7, 0.5, 1, 2, 3], [4.0, 0, 0, 0, 0]]
)
def test_the_eigenvalue_of_largest_magnitude_has_its_sign(
    spectrum: list[float], exact: bool
) -> None:
    found = top_eigenvalue(quadratic(spectrum, exact), 40)
    assert found.value == pytest.approx(max(spectrum, key=abs), rel=1e-3)
    assert found.residual < 0.05


def test_some_eigenvalue_is_within_the_residual() -> None:
    """Also after two iterations, which do not resolve two close ones."""
    spectrum = [1.0, 2, 3, 6, 6.5]
    found = top_eigenvalue(quadratic(spectrum), 2)
    assert found.residual > 0.01
    distances = [abs(found.value - one) for one in spectrum]
    assert min(distances) <= found.residual + 1e-5


def test_a_loss_without_curvature_has_the_eigenvalue_zero() -> None:
    linear = quadratic([0.0] * 5)
    assert top_eigenvalue(linear).value == pytest.approx(0, abs=1e-6)
    weight = torch.ones(3, requires_grad=True)
    found = top_eigenvalue(Loss([weight], weight.sum))
    assert (found.value, found.residual) == (0, 0)


@pytest.mark.parametrize('rho', [0.05, 0.5])
def test_the_sam_value_is_the_closed_form(rho: float) -> None:
    spectrum = [0.1, 0.5, 1, 2, 8]
    loss = quadratic(spectrum)
    g = flat(loss.gradient())
    expected = rho * g.norm() + rho**2 * (
        g @ matrix(spectrum) @ g / (2 * g @ g)
    )
    assert sam_value(loss, rho) == pytest.approx(float(expected), rel=1e-4)


def test_at_a_stationary_point_there_is_nowhere_to_go() -> None:
    weight = torch.zeros(3, requires_grad=True)
    assert sam_value(Loss([weight], lambda: (weight**2).sum()), 0.05) == 0


def test_weights_are_given_back_to_the_bit() -> None:
    torch.manual_seed(0)
    weight = torch.randn(1000, requires_grad=True)
    before = weight.detach().clone()
    with moved([weight], [torch.randn(1000)], 0.3):
        assert not torch.equal(weight, before)
    assert torch.equal(weight, before)


def test_the_norm_is_that_of_all_numbers_together() -> None:
    parts = [torch.full((2, 3), 2.0), torch.full((4,), -1.0)]
    assert float(norm(parts)) == pytest.approx((6 * 4 + 4) ** 0.5)


@pytest.fixture(scope='module')
def classifier() -> tuple[nn.Module, Tensor, Tensor]:
    """A smooth classifier with 177 weights."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 12), nn.GELU(), nn.Linear(12, 3))
    images, labels = torch.randn(20, 6), torch.arange(20) % 3
    optimiser = torch.optim.SGD(model.parameters(), lr=0.5)
    for _ in range(20):
        optimiser.zero_grad()
        nn.functional.cross_entropy(model(images), labels).backward()
        optimiser.step()
    optimiser.zero_grad()
    return model, images, labels


def loss_of(
    classifier: tuple[nn.Module, Tensor, Tensor], exact: bool = True
) -> Loss:
    model, images, labels = classifier
    return Loss(
        model.parameters(),
        lambda: nn.functional.cross_entropy(model(images), labels),
        exact,
    )


def dense_hessian(classifier: tuple[nn.Module, Tensor, Tensor]) -> Tensor:
    """By ``torch.autograd.functional`` over all weights at once."""
    model, images, labels = classifier
    named = dict(model.named_parameters())
    sizes = [p.numel() for p in named.values()]

    def loss(weights: Tensor) -> Tensor:
        parts = weights.split(sizes)
        given = {
            name: part.view(p.shape)
            for (name, p), part in zip(named.items(), parts, strict=True)
        }
        outputs = torch.func.functional_call(model, given, (images,))
        return nn.functional.cross_entropy(outputs, labels)

    weights = flat([p.detach() for p in named.values()])
    return torch.autograd.functional.hessian(loss, weights)


@pytest.mark.parametrize('exact', [True, False])
def test_a_classifier_s_products_are_those_of_its_hessian(
    classifier: tuple[nn.Module, Tensor, Tensor], exact: bool
) -> None:
    hessian = dense_hessian(classifier)
    loss = loss_of(classifier, exact)
    vector = [torch.randn_like(p) for p in loss.parameters]
    vector = [part / float(norm(vector)) for part in vector]
    found, expected = (
        flat(loss.hessian_product(vector)),
        hessian @ flat(vector),
    )
    # A finite difference depends on more than the point.
    tolerance = 1e-5 if exact else 0.01
    assert float((found - expected).norm()) < tolerance * expected.norm()
    top = max(torch.linalg.eigvalsh(hessian).tolist(), key=abs)
    assert top_eigenvalue(loss, 200).value == pytest.approx(top, rel=0.01)


def test_as_scipy_and_curvlinops_find_it(
    classifier: tuple[nn.Module, Tensor, Tensor],
) -> None:
    curvlinops = pytest.importorskip('curvlinops')
    model, images, labels = classifier
    theirs = curvlinops.HessianLinearOperator(
        model,
        nn.CrossEntropyLoss(),
        list(model.parameters()),
        [(images, labels)],
    ).to_scipy()
    assert isinstance(theirs, LinearOperator)
    (top,) = eigsh(theirs, k=1, which='LM', return_eigenvectors=False)
    found = top_eigenvalue(loss_of(classifier), 200)
    assert found.value == pytest.approx(float(top), rel=1e-3)
