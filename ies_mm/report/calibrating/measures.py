"""How much a criterion says of an image: figures from recorded losses.

All take ``losses``, (E, N), one summed loss an epoch and image, and
``scores``, (E, N), a criterion after each epoch, NaN where it has none.
Epochs count from 0 here.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from ies_mm.core.lengths import WIDTH

NOISE = (np.pi / 2 - 1) ** 0.5
"""The :func:`variation` of Gaussian noise, at every order from 1 on."""


def rank_correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Spearman's, over the images where both are numbers.

    Args:
        a (np.ndarray): (N,).
        b (np.ndarray): (N,).

    Returns:
        float: NaN with fewer than three images, or where one is constant.
    """
    both = np.isfinite(a) & np.isfinite(b)
    a, b = a[both], b[both]
    if len(a) < 3 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return np.nan
    return float(stats.spearmanr(a, b).statistic)


def persistence(scores: np.ndarray, lag: int) -> float:
    """Of a criterion with itself, ``lag`` epochs later; the mean over epochs.

    Args:
        scores (np.ndarray): (E, N).
        lag (int): At least the observations that the criterion reads, or the
            same losses are compared with themselves.
    """
    pairs = zip(scores[:-lag], scores[lag:], strict=True)
    return _mean([rank_correlation(a, b) for a, b in pairs])


def predictive_power(
    scores: np.ndarray, losses: np.ndarray, width: int = WIDTH
) -> float:
    """With the image's further loss decrease; the mean over epochs.

    The decrease is taken from epochs after those that the criterion has read,
    so that chance cannot be seen twice (regression to the mean).
    """
    return _mean(
        [
            rank_correlation(scores[epoch], half)
            for epoch, halves in further_decreases(losses, width)
            for half in halves
            if np.isfinite(scores[epoch]).any()
        ]
    )


def ceiling(losses: np.ndarray, width: int = WIDTH, first: int = 0) -> float:
    """Of the further decrease with itself, from disjoint epochs.

    No criterion can be asked to predict the decrease better than the square
    root of this: the rest is noise of the decrease itself.

    Args:
        losses (np.ndarray): (E, N).
        width (int): Epochs averaged for one level.
        first (int): The first epoch after which it is asked.
    """
    return _mean(
        [
            rank_correlation(*halves)
            for epoch, halves in further_decreases(losses, width)
            if epoch >= first
        ]
    )


def further_decreases(
    losses: np.ndarray, width: int = WIDTH
) -> Iterator[tuple[int, tuple[np.ndarray, np.ndarray]]]:
    """By how much each image's loss falls after an epoch, to the end.

    Measured twice, from every other epoch of the next ``2 * width`` and of the
    last ``2 * width``, less the median over images. Epochs are skipped where
    no image was observed in all of these.

    Yields:
        tuple: The epoch, and the two decreases, each (N,).
    """
    last = losses[-2 * width :]
    for epoch in range(len(losses) - 4 * width):
        following = losses[epoch + 1 : epoch + 1 + 2 * width]
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

    Of the absolute differences: their signed mean is near 0. A low one means
    that images differ little, so that one threshold fits all of them. Where
    every image's loss is a level of its own with Gaussian noise of the same
    size about it, orders from 1 on give :data:`NOISE`, 0.756. Source: Figures
    3 and 6, appendix C.

    Args:
        losses (np.ndarray): (E, N), NaN where not observed.
        order (int): Of the difference, 0 for the loss itself.

    Returns:
        np.ndarray: float64 (E,); NaN where fewer than two images have a
        difference, or where all of them are 0.
    """
    found = np.full(len(losses), np.nan)
    differences = np.diff(losses.astype(np.float64), n=order, axis=0)
    for epoch, row in enumerate(np.abs(differences), start=order):
        known = row[np.isfinite(row)]
        if len(known) > 1 and known.any():
            found[epoch] = known.std() / known.mean()
    return found


def rises(losses: np.ndarray, trained: np.ndarray) -> np.ndarray:
    """By how much each image's loss rose while it was left out.

    Of images that were left out for ``WIDTH + 1`` epochs on end, from the
    first of them to the last, less the median movement of the images trained
    in all of them. No criterion has read the first when it leaves them out.
    An image that was taken back sooner is not seen.

    Args:
        losses (np.ndarray): (E, N).
        trained (np.ndarray): bool (E, N).

    Returns:
        np.ndarray: (E, N), at the epoch whose decision left the image out;
        NaN elsewhere.
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


def _mean(values: list[float]) -> float:
    known = [value for value in values if np.isfinite(value)]
    return float(np.mean(known)) if known else np.nan
