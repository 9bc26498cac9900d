"""Noise in the boxes of images. Pure: boxes in, other boxes out."""

import numpy as np
from numpy.typing import NDArray

from ies_mm.labels.noise import Labels, drawn_share

LEAST, MOST = 0.2, 0.5
"""How far a box is shifted, in parts of its own width and height.

Its overlap (IoU) with the true box is then below 0.5, unless the border of the
image cuts it off, and a quarter of the object or more is still in it.
"""

GONE = -1
"""In the place of the class of a box that is missing."""

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
        sizes (ndarray): float32 (B, 2), width and height of their images,
            where shifted boxes are cut off; infinite where not known.
        ratio (float): Share that is shifted, to within one box.
        generator (Generator): Draws which, and where to.

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
    """Take a share of the boxes away.

    Args:
        labels (ndarray): int64 (B,), their classes.
        ratio (float): Share that is missing, to within one box.
        generator (Generator): Draws which.

    Returns:
        ndarray: int64 (B,), ``GONE`` for a box that is missing.
    """
    noisy = labels.copy()
    noisy[drawn_share(len(labels), ratio, generator)] = GONE
    return noisy
