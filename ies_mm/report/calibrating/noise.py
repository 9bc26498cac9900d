"""The loss noise of a network with frozen weights."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ies_mm.core import Criterion
from ies_mm.errors import ConfigError

ALL = 'all together'


@dataclass(frozen=True)
class Noise:
    """Noise of repeated forward passes with frozen weights.

    Attributes:
        flatness (ndarray): (M,), the criterion of every image with finite
            losses, taking the passes as epochs.
        spread (dict): Source -> (T + 1,), the standard deviation of each
            term's loss and, last, of the summed loss; the root of the mean
            variance of an image.
    """

    flatness: NDArray[np.float64]
    spread: dict[str, NDArray[np.float64]]

    def weights(self, terms: list[str]) -> dict[str, float]:
        """Weights by inverse noise variance, the largest 1.

        Args:
            terms (list of str): Names of the T terms.

        Returns:
            dict: Weight by term; empty with one term, or if one is noise-free.
        """
        deviation = self.spread[ALL][:-1]
        if len(terms) == 1 or not deviation.all():
            return {}
        inverse = (deviation.min() / deviation) ** 2
        return dict(zip(terms, inverse.tolist(), strict=True))

    @property
    def floor(self) -> float:
        """The criterion of the median image."""
        return float(np.median(self.flatness))

    def below(self, delta: float) -> float:
        """Share of the images that a delta would master."""
        return float((self.flatness < delta).mean())


def noise_of(
    passes: dict[str, torch.Tensor],
    criterion: Criterion,
    terms: list[str],
    scale: torch.Tensor,
) -> Noise:
    """Compute the noise from the passes.

    Args:
        passes (dict): Source -> float32 (P, M, T), losses with only that
            source varied, and under ``ALL`` with all of them; there P is at
            least ``criterion.depth``.
        criterion (Criterion): The criterion whose noise floor is wanted.
        terms (list of str): Names of the T terms.
        scale (Tensor): (C,), see :meth:`Recorded.scale`.

    Raises:
        ConfigError: No image has finite losses.
    """
    finite = torch.stack(
        [losses.isfinite().all(dim=2).all(dim=0) for losses in passes.values()]
    ).all(dim=0)
    if not finite.any():
        raise ConfigError(
            'no image has finite losses in all passes with the weights of '
            'the last checkpoint; give --images 0 to skip the passes'
        )
    flat = criterion.score(passes[ALL][:, finite], terms, scale)
    spread = {}
    for source, losses in passes.items():
        # The variance of nearly equal numbers loses digits in float32.
        values = losses[:, finite].double()
        values = torch.cat([values, values.sum(dim=2, keepdim=True)], dim=2)
        spread[source] = values.var(dim=0).mean(dim=0).sqrt().numpy()
    return Noise(flat.numpy(), spread)
