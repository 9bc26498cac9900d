"""The paper's claims about Figure 5, checked on our lines."""

from collections.abc import Sequence

import numpy as np

from paper_experiments.experiment import OPEN, Claim, verdict
from paper_experiments.panels import Line, Panel
from paper_experiments.trainings import TITLES

NO_REMOVAL, SECOND_ORDER = 'No Removal', 'IES, 2nd order'
WITHIN = 1.0
"""Accuracy loss, in points, that is acceptable (section 4.3)."""

MOST_LOST = 2.0
"""Points that delta x 0.01 to x 100 may cost at most (section 4.2)."""

PAPER_SAVES = dict(cifar10='80%', cifar100='60%')


def claims_of(panel: Panel, data: str, seeds: int) -> list[Claim]:
    """The claims about a dataset.

    Args:
        panel (Panel): Accuracy over the excluded share, one line per method.
        data (str): The dataset.
        seeds (int): Number of seeds of every point.
    """
    lines = {line.label: line for line in panel.lines}
    base = (panel.levels or {})[NO_REMOVAL]
    own = lines[SECOND_ORDER]
    return [
        _most_saved(own, base, data),
        _range(own, base, data, seeds),
        _best_criterion(lines, data, seeds),
    ]


def _most_saved(own: Line, base: float, data: str) -> Claim:
    most = most_saved_within(own.x, own.y, base - WITHIN)
    return Claim(
        f'{TITLES[data]}: most that IES saves within {WITHIN:g} point of '
        f'{NO_REMOVAL}',
        PAPER_SAVES[data],
        'nothing' if most is None else f'{most:.0%}',
        OPEN,
    )


def most_saved_within(
    saved: Sequence[float], values: Sequence[float], least: float
) -> float | None:
    """The largest share saved up to which every value is ``least`` or more.

    Args:
        saved (sequence of float): Shares, ascending.
        values (sequence of float): Metric at each.
        least (float): The lowest acceptable value.

    Returns:
        float: None if the first value is already too low.
    """
    most = None
    for share, value in zip(saved, values, strict=True):
        if value < least:
            break
        most = share
    return most


def _range(own: Line, base: float, data: str, seeds: int) -> Claim:
    lost = base - min(own.y)
    return Claim(
        f'{TITLES[data]}: delta x 0.01 to x 100 costs about '
        f'{MOST_LOST:g} points at most',
        f'{MOST_LOST:g} points',
        f'{lost:.1f} points',
        verdict(lost <= MOST_LOST, seeds),
    )


def _best_criterion(lines: dict[str, Line], data: str, seeds: int) -> Claim:
    """Compare the mean accuracy over the shares that all lines cover."""
    low = max(min(line.x) for line in lines.values())
    high = min(max(line.x) for line in lines.values())
    says = (
        f'{TITLES[data]}: of all lines {SECOND_ORDER} is the most accurate '
        'at equal shares excluded'
    )
    if low >= high:
        return Claim(says, 'in most cases', 'no share in common', OPEN)
    shares = np.linspace(low, high, 20)
    means = {
        name: float(np.interp(shares, line.x, line.y).mean())
        for name, line in lines.items()
    }
    order = sorted(means, key=lambda name: -means[name])
    return Claim(
        says,
        'in most cases',
        f'{low:.0%} to {high:.0%}, mean accuracy: '
        + ', '.join(f'{name} {means[name]:.1f}' for name in order),
        verdict(order[0] == SECOND_ORDER, seeds),
    )
