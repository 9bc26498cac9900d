"""Figures 3 and 6: how much the loss differences vary over images."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from ies_mm.report.calibrating.measures import NOISE, variation
from paper_experiments.experiment import Claim, Found, Runs, verdict
from paper_experiments.over_epochs import dry_of
from paper_experiments.panels import Panel, mean_line
from paper_experiments.trainings import ADAM, SGD_E


def variations(setting: str) -> Callable[[Runs], Found]:
    """The reader of Figure 3 (SGD) or Figure 6 (Adam)."""
    training = dry_of(setting)

    def read(runs: Runs) -> Found:
        lines, curves = [], []
        for order in range(4):
            found = [
                variation(recorded.total, order)
                for recorded in runs.recorded(training)
            ]
            epochs = [float(epoch) for epoch in range(1, len(found[0]) + 1)]
            line = mean_line(
                f'N = {order}', [(epochs, cv.tolist()) for cv in found], order
            )
            lines.append(line)
            curves.append(np.array(line.y))
        name = 'Adam' if setting == ADAM else 'SGD'
        panel = Panel(
            f'{name}: variation of |difference of order N|',
            'epoch',
            'coefficient of variation',
            lines,
            {f'Gaussian noise, N > 0: {NOISE:.3f}': NOISE},
        )
        claims = [_lowest(curves)]
        if setting == SGD_E:
            claims.insert(0, _rise_and_fall(curves))
        return Found(claims, [panel])

    return read


def end_of(curve: NDArray[np.float64]) -> float:
    """The mean of the last tenth of the epochs."""
    return float(np.nanmean(curve[-max(1, len(curve) // 10) :]))


def _rise_and_fall(curves: Sequence[NDArray[np.float64]]) -> Claim:
    peaks = [float(np.nanmax(curve)) for curve in curves]
    ends = [end_of(curve) for curve in curves]
    falls = [end < 0.9 * peak for end, peak in zip(ends, peaks, strict=True)]
    return Claim(
        'N = 1, 2, 3 rise, then fall (end below 0.9 of the peak)',
        'they do',
        ', '.join(
            f'N = {n}: {peaks[n]:.2f} to {ends[n]:.2f}' for n in (1, 2, 3)
        ),
        verdict(all(falls[1:])),
    )


def _lowest(curves: Sequence[NDArray[np.float64]]) -> Claim:
    ends = [end_of(curve) for curve in curves]
    return Claim(
        'at the end N = 2 and 3 vary least',
        'they do',
        ', '.join(f'N = {n}: {end:.2f}' for n, end in enumerate(ends)),
        verdict(max(ends[2:]) < min(ends[:2])),
    )
