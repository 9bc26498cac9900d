"""The delta that would have saved a given share of a recorded run."""

from dataclasses import dataclass

import numpy as np

from ies_mm.errors import ConfigError


@dataclass(frozen=True)
class Setting:
    """What a delta would have pruned.

    Attributes:
        delta (float): In units of the loss; if several terms are judged, in
            units of each one's first mean loss.
        saved (float): Share of all instance-epochs.
        first (float): Share of the images in the first epoch that may prune.
        last (float): Share of the images in the last epoch.
    """

    delta: float
    saved: float
    first: float
    last: float


def setting(scores: np.ndarray, share: float) -> Setting:
    """Find the delta that would have saved a share of the training.

    Args:
        scores (ndarray): (E, N), the criterion; NaN before it can judge. The
            decision after the last epoch saves nothing.
        share (float): Share of all instance-epochs.
    """
    decided = scores[:-1]
    known = np.sort(decided[np.isfinite(decided)])
    if not len(known):
        raise ConfigError(
            'no image was observed often enough for a decision before the '
            'last epoch; train longer'
        )
    # Of all instance-epochs, including those too early to be judged.
    count = min(round(share * scores.size), len(known) - 1)
    # Images with exactly the same score as the last one are included.
    above = known[known > known[max(count - 1, 0)]]
    delta = float(above[0] if len(above) else known[-1])
    out = (decided < delta).mean(axis=1)
    able = np.isfinite(decided).any(axis=1)
    return Setting(
        delta, float(out.sum() / len(scores)), float(out[able][0]), out[-1]
    )
