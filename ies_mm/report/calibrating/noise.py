"""The noise of a network that does not learn."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ies_mm.core import Criterion

ALL = 'all together'


@dataclass(frozen=True)
class Noise:
    """Of repeated forward passes with frozen weights.

    Attributes:
        floor (float): Median of the criterion over the images.
        spread (dict): Source -> (T + 1,), the standard deviation of each
            term's loss and, last, of the summed loss; the root of the mean
            variance of an image.
    """

    floor: float
    spread: dict[str, NDArray[np.float64]]


def noise_of(
    passes: dict[str, torch.Tensor], criterion: Criterion, terms: list[str]
) -> Noise:
    """Figures from the passes.

    Args:
        passes (dict): Source -> float32 (P, M, T), losses with that source
            varied alone, and under ``ALL`` with all of them; there P is at
            least ``criterion.depth``.
        criterion (Criterion): Whose floor is wanted.
        terms (list of str): Names of the T terms.
    """
    flat = criterion.flatness(passes[ALL], terms)
    spread = {}
    for source, losses in passes.items():
        values = losses.double()
        values = torch.cat([values, values.sum(dim=2, keepdim=True)], dim=2)
        spread[source] = values.var(dim=0).mean(dim=0).sqrt().numpy()
    return Noise(float(flat.median()), spread)
