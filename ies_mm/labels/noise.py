"""Noise in the classes of images. Pure: labels in, noisy labels out."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

DEVIATION = 0.1
"""Standard deviation of the flip rates (Xia et al., 2020, section 4.1)."""

Labels = NDArray[np.int64]
Floats = NDArray[np.float64]


def symmetric(
    labels: Labels, classes: int, ratio: float, generator: np.random.Generator
) -> Labels:
    """Change a share of the labels to another class, chosen uniformly.

    Args:
        labels (ndarray): int64 (N,), from 0 to ``classes - 1``.
        classes (int): C, at least 2.
        ratio (float): Share of labels to change, to within one label.
        generator (Generator): Draws the labels and their new classes.

    Returns:
        ndarray: int64 (N,). A drawn label never keeps its class.
    """
    noisy = labels.copy()
    drawn = drawn_share(len(labels), ratio, generator)
    steps = generator.integers(1, classes, len(drawn))
    noisy[drawn] = (labels[drawn] + steps) % classes
    return noisy


def drawn_share(
    number: int, ratio: float, generator: np.random.Generator
) -> Labels:
    """Draw ``round(ratio * number)`` of ``range(number)``, int64, sorted."""
    drawn = generator.permutation(number)[: round(ratio * number)]
    return np.sort(drawn)


def part_dependent(
    images_of: Callable[[Labels], NDArray[np.float32]],
    labels: Labels,
    classes: int,
    ratio: float,
    seed: int,
) -> Labels:
    """Instance-dependent noise (Xia et al., NeurIPS 2020, algorithm 2).

    Every image has its own flip rate, drawn around ``ratio``. Its new class is
    drawn from the softmax of a random projection of its pixels, which is the
    same for all images of a class.

    Args:
        images_of (callable): Indices, int64 (n,) -> pixels of these images,
            float32 (n, S). Called once per class.
        labels (ndarray): int64 (N,), from 0 to ``classes - 1``.
        classes (int): C, at least 2.
        ratio (float): Mean of the normal distribution of the flip rates.
        seed (int): Seed of all draws.

    Returns:
        ndarray: int64 (N,).
    """
    noisy = labels.copy()
    generator = np.random.default_rng([seed, 0])
    rates = flip_rates(len(labels), ratio, generator)
    chances = generator.random(len(labels))
    for label in np.unique(labels):
        own = np.flatnonzero(labels == label)
        pixels = images_of(own)
        # One class at a time: all of 1000 classes would take 12 GB.
        projection = np.random.default_rng([seed, 1, label]).standard_normal(
            (pixels.shape[1], classes), dtype=np.float32
        )
        found = transitions(pixels @ projection, int(label), rates[own])
        noisy[own] = drawn_classes(found, chances[own])
    return noisy


def flip_rates(
    images: int, ratio: float, generator: np.random.Generator
) -> Floats:
    """Normal around ``ratio``, truncated to 0..1, float64 (images,)."""
    rates = generator.normal(ratio, DEVIATION, images)
    while (outside := (rates < 0) | (rates > 1)).any():
        rates[outside] = generator.normal(ratio, DEVIATION, outside.sum())
    return rates


def transitions(
    projected: NDArray[np.float32], own: int, rates: Floats
) -> Floats:
    """Probabilities of the noisy classes of images of one class.

    Args:
        projected (ndarray): float32 (n, C), the projected pixels.
        own (int): The class of the images.
        rates (ndarray): float64 (n,), probabilities of another class.

    Returns:
        ndarray: float64 (n, C), rows that sum to 1.
    """
    scores = projected.astype(np.float64)
    # An image keeps its own class with 1 - rate, outside of the softmax.
    scores[:, own] = -np.inf
    found = np.exp(scores - scores.max(axis=1, keepdims=True))
    found *= (rates / found.sum(axis=1))[:, None]
    found[:, own] = 1 - rates
    return found


def drawn_classes(probabilities: Floats, chances: Floats) -> Labels:
    """Draw a class from each row's distribution.

    Args:
        probabilities (ndarray): float64 (n, C).
        chances (ndarray): float64 (n,), uniform in [0, 1).

    Returns:
        ndarray: int64 (n,).
    """
    upto = probabilities.cumsum(axis=1)
    upto /= upto[:, -1:]  # Exactly 1 at the end.
    found: Labels = (upto <= chances[:, None]).sum(axis=1)
    return found
