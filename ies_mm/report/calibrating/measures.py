"""How much a criterion says about an image: figures from recorded losses.

``losses``, (E, N), has one summed loss per epoch and image; ``scores``,
(E, N), the criterion after each epoch, NaN where undefined. Epochs count from
0 here.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from ies_mm.core.lengths import WIDTH

NOISE = (np.pi / 2 - 1) ** 0.5
"""The :func:`variation` of Gaussian noise, at every order from 1 on."""


def rank_correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Spearman's correlation over the images where both are finite.

    Args:
        a (np.ndarray): (N,).
        b (np.ndarray): (N,).

    Returns:
        float: NaN with fewer than three images, or if one is constant.
    """
    both = np.isfinite(a) & np.isfinite(b)
    a, b = a[both], b[both]
    if len(a) < 3 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return np.nan
    return float(stats.spearmanr(a, b).statistic)


def persistence(scores: np.ndarray, lag: int) -> float:
    """Correlate a criterion with itself ``lag`` epochs later; epoch mean.

    Args:
        scores (np.ndarray): (E, N).
        lag (int): At least the number of observations that the criterion
            reads; otherwise losses are compared with themselves.
    """
    pairs = zip(scores[:-lag], scores[lag:], strict=True)
    return known_mean([rank_correlation(a, b) for a, b in pairs])


def predictive_power(
    scores: np.ndarray, losses: np.ndarray, width: int = WIDTH
) -> float:
    """Correlate with the images' further loss decrease; epoch mean.

    The decrease is computed only from epochs that the criterion has not read,
    so that no noise enters both (regression to the mean).
    """
    return known_mean(
        [
            rank_correlation(scores[epoch], half)
            for epoch, halves in further_decreases(losses, width)
            for half in halves
            if np.isfinite(scores[epoch]).any()
        ]
    )


def ceiling(losses: np.ndarray, width: int = WIDTH, first: int = 0) -> float:
    """Correlate the further decrease with itself, from disjoint epochs.

    No criterion can predict the decrease better than the square root of this:
    the rest is noise of the decrease itself.

    Args:
        losses (np.ndarray): (E, N).
        width (int): Epochs averaged for one level.
        first (int): The first epoch after which it is evaluated.
    """
    return known_mean(
        [
            rank_correlation(*halves)
            for epoch, halves in further_decreases(losses, width)
            if epoch >= first
        ]
    )


def further_decreases(
    losses: np.ndarray, width: int = WIDTH
) -> Iterator[tuple[int, tuple[np.ndarray, np.ndarray]]]:
    """Yield how much each image's loss falls from an epoch to the end.

    It is measured twice, from every other epoch of the next ``2 * width`` and
    of the last ``2 * width``, minus the median over images. Epochs are skipped
    if no image was observed in all of these.

    Yields:
        tuple: The epoch, and the two decreases, each (N,).
    """
    last = losses[-2 * width :]
    for epoch in range(len(losses) - 4 * width):
        following = losses[epoch + 1 : epoch + 1 + 2 * width]
        # A plain mean: an image not observed in one of these epochs becomes
        # NaN.
        halves = [
            following[part::2].mean(axis=0) - last[part::2].mean(axis=0)
            for part in (0, 1)
        ]
        if any(np.isnan(half).all() for half in halves):
            continue
        first, second = (half - np.nanmedian(half) for half in halves)
        yield epoch, (first, second)


def variation(losses: NDArray[np.floating], order: int) -> NDArray[np.float64]:
    """Coefficient of variation over images, after every epoch.

    It uses absolute differences, since their signed mean is near 0. A low
    value means that images differ little, so that one threshold fits all. If
    every image's loss is its own level plus Gaussian noise of the same size,
    orders from 1 on give :data:`NOISE`, 0.756. Source: Figures 3 and 6,
    appendix C.

    Args:
        losses (np.ndarray): (E, N), NaN where not observed.
        order (int): Order of the difference, 0 for the loss itself.

    Returns:
        np.ndarray: float64 (E,); NaN where fewer than two images have a
        difference, or all differences are 0.
    """
    found = np.full(len(losses), np.nan)
    differences = np.diff(losses.astype(np.float64), n=order, axis=0)
    for epoch, row in enumerate(np.abs(differences), start=order):
        known = row[np.isfinite(row)]
        if len(known) > 1 and known.any():
            found[epoch] = known.std() / known.mean()
    return found


def rises(losses: np.ndarray, trained: np.ndarray) -> np.ndarray:
    """How much each image's loss rose while it was pruned.

    It covers images pruned for ``WIDTH + 1`` consecutive epochs, from the
    first of these to the last, minus the median change of the images trained
    in all of them. No criterion has read the first of them when it decides.
    Images re-included sooner are not covered.

    Args:
        losses (np.ndarray): (E, N).
        trained (np.ndarray): bool (E, N).

    Returns:
        np.ndarray: (E, N), at the epoch whose decision pruned the image; NaN
        elsewhere.
    """
    found = np.full(losses.shape, np.nan)
    for epoch in range(len(losses) - WIDTH - 1):
        later = trained[epoch + 1 : epoch + 2 + WIDTH]
        out = trained[epoch] & ~later.any(axis=0)
        moved = losses[epoch + 1 + WIDTH] - losses[epoch + 1]
        trained_on = moved[later.all(axis=0)]
        if np.isfinite(trained_on).any():
            found[epoch, out] = (moved - np.nanmedian(trained_on))[out]
    return found


def known_mean(values: Sequence[float]) -> float:
    """Mean of the finite values; NaN without any."""
    known = [value for value in values if np.isfinite(value)]
    return float(np.mean(known)) if known else np.nan
