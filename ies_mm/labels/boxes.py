"""Noise in boxes. Pure: boxes in, noisy boxes out."""

import numpy as np
from numpy.typing import NDArray

from ies_mm.labels.noise import Labels, drawn_share

LEAST, MOST = 0.2, 0.5
"""Range of the shift of a box, as a fraction of its width and height.

Its IoU with the true box is then below 0.5, unless clipped at the image
border, and it still covers at least a quarter of the object.
"""

GONE = -1
"""Replaces the class of a missing box."""

Boxes = NDArray[np.float32]


def shifted(
    boxes: Boxes,
    sizes: Boxes,
    ratio: float,
    generator: np.random.Generator,
) -> Boxes:
    """Shift a share of the boxes, each in a random diagonal direction.

    Args:
        boxes (ndarray): float32 (B, 4), x1, y1, x2, y2 in pixels.
        sizes (ndarray): float32 (B, 2), width and height of their images, to
            which shifted boxes are clipped; infinite if unknown.
        ratio (float): Share of boxes to shift, to within one box.
        generator (Generator): Draws the boxes and their shifts.

    Returns:
        ndarray: float32 (B, 4).
    """
    noisy = boxes.copy()
    drawn = drawn_share(len(boxes), ratio, generator)
    parts = generator.uniform(LEAST, MOST, (len(drawn), 2))
    signs = generator.choice([-1, 1], (len(drawn), 2))
    chosen = boxes[drawn]
    moves = parts * signs * (chosen[:, 2:] - chosen[:, :2])
    moved = chosen + np.tile(moves, 2)
    noisy[drawn] = moved.clip(0, np.tile(sizes[drawn], 2))
    return noisy


def missing(
    labels: Labels, ratio: float, generator: np.random.Generator
) -> Labels:
    """Remove a share of the boxes.

    Args:
        labels (ndarray): int64 (B,), classes of the boxes.
        ratio (float): Share of boxes to remove, to within one box.
        generator (Generator): Draws the boxes.

    Returns:
        ndarray: int64 (B,), ``GONE`` for missing boxes.
    """
    noisy = labels.copy()
    noisy[drawn_share(len(labels), ratio, generator)] = GONE
    return noisy
