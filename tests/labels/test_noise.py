"""The noise itself, against loops over single labels."""

import numpy as np
import pytest
from scipy.stats import chisquare, kstest, truncnorm

from ies_mm.labels.boxes import GONE, missing, shifted
from ies_mm.labels.noise import (
    drawn_classes,
    flip_rates,
    part_dependent,
    symmetric,
    transitions,
)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize('ratio', [0.1, 0.2, 0.4, 0.999])
@pytest.mark.parametrize('classes', [2, 10])
def test_symmetric_changes_exactly_the_share_it_says(
    ratio: float, classes: int
) -> None:
    labels = rng(1).integers(0, classes, 1000)
    noisy = symmetric(labels, classes, ratio, rng())
    assert (noisy != labels).sum() == round(1000 * ratio)
    assert noisy.min() >= 0
    assert noisy.max() < classes


def test_symmetric_gives_every_other_class_alike() -> None:
    labels = np.full(30000, 3)
    noisy = symmetric(labels, 5, 0.4, rng())
    counts = np.bincount(noisy, minlength=5)
    assert counts[3] == 18000
    assert chisquare(counts[[0, 1, 2, 4]]).pvalue > 0.01


def test_a_seed_gives_the_same_noise_and_another_one_another() -> None:
    labels = rng(1).integers(0, 10, 200)
    first, again, other = (
        symmetric(labels, 10, 0.3, rng(seed)) for seed in (5, 5, 6)
    )
    assert first.tolist() == again.tolist() != other.tolist()


@pytest.mark.parametrize('ratio', [0.05, 0.2, 0.4])
def test_flip_rates_are_those_of_a_truncated_normal(ratio: float) -> None:
    rates = flip_rates(4000, ratio, rng())
    theirs = truncnorm(-ratio / 0.1, (1 - ratio) / 0.1, ratio, 0.1)
    assert kstest(rates, theirs.cdf).pvalue > 0.01


def test_transitions_are_those_of_the_papers_loop() -> None:
    """Algorithm 2 of Xia et al., 2020, one image after the other."""
    images, own, classes = rng().random((6, 8)), 2, 4
    weights, rates = rng(1).normal(size=(8, classes)), rng(2).random(6)
    projected = (images @ weights).astype(np.float32)
    for i, found in enumerate(transitions(projected, own, rates)):
        p = [sum(images[i] * weights[:, j]) for j in range(classes)]
        p[own] = -np.inf
        exps = [np.exp(x) for x in p]
        p = [rates[i] * e / sum(exps) for e in exps]
        p[own] = 1 - rates[i]
        assert found == pytest.approx(p, rel=1e-5)
        assert sum(p) == pytest.approx(1)


def test_classes_are_drawn_as_often_as_they_should() -> None:
    p = np.array([0.5, 0.0, 0.3, 0.2])
    found = drawn_classes(np.tile(p, (20000, 1)), rng().random(20000))
    counts = np.bincount(found, minlength=4)
    assert counts[1] == 0
    assert chisquare(counts[[0, 2, 3]], 20000 * p[[0, 2, 3]]).pvalue > 0.01


def test_instance_noise_goes_by_the_image_and_its_class() -> None:
    """Similar images of a class are flipped alike."""
    looks = rng().random((3, 48)).astype(np.float32)
    look = rng(1).integers(0, 3, 6000)
    labels = rng(2).integers(0, 4, 6000)
    noisy = part_dependent(lambda ids: looks[look[ids]], labels, 4, 0.3, 7)
    assert (noisy != labels).mean() == pytest.approx(0.3, abs=0.02)
    shares = np.zeros((4, 3, 4))
    for own in range(4):
        for kind in range(3):
            of = noisy[(labels == own) & (look == kind) & (noisy != labels)]
            shares[own, kind] = np.bincount(of, minlength=4) / len(of)
    # If only the class mattered, its three looks would have equal shares.
    assert (shares.std(axis=1).max(axis=1) > 0.1).all()
    # With one projection for all, a look would prefer 0 to 1 equally when it
    # is of class 2 as when it is of class 3.
    first = shares[2:, :, 0] / shares[2:, :, :2].sum(axis=2)
    assert abs(first[0] - first[1]).max() > 0.5


def test_boxes_are_shifted_until_they_do_not_fit() -> None:
    corners = rng().uniform(20, 60, (100, 2))
    boxes = np.hstack([corners, corners + rng(1).uniform(4, 20, (100, 2))])
    boxes = boxes.astype(np.float32)
    sizes = np.full((100, 2), 100, np.float32)
    noisy = shifted(boxes, sizes, 0.3, rng())
    moved = (noisy != boxes).any(axis=1)
    assert moved.sum() == 30
    for a, b in zip(boxes[moved], noisy[moved], strict=True):
        w = max(0, min(a[2], b[2]) - max(a[0], b[0]))
        h = max(0, min(a[3], b[3]) - max(a[1], b[1]))
        area = (a[2] - a[0]) * (a[3] - a[1])
        assert 0.24 < w * h / area < 0.65
        assert w * h / (2 * area - w * h) < 0.5  # IoU


def test_shifted_boxes_stay_in_their_image() -> None:
    boxes = np.tile(np.array([0, 0, 10, 20], np.float32), (50, 1))
    sizes = np.tile(np.array([10, 20], np.float32), (50, 1))
    noisy = shifted(boxes, sizes, 0.9, rng())
    assert noisy.min() >= 0
    assert (noisy[:, 2:] <= sizes).all()
    assert (noisy[:, 2:] - noisy[:, :2] >= [5, 10]).all()


def test_missing_boxes_are_the_share_that_was_asked_for() -> None:
    labels = rng().integers(0, 3, 40)
    noisy = missing(labels, 0.25, rng())
    assert (noisy == GONE).sum() == 10
    assert (noisy[noisy != GONE] == labels[noisy != GONE]).all()
