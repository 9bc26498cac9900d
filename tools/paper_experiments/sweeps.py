"""Figure 5: accuracy over the share excluded, and what delta does."""

from collections.abc import Sequence

import numpy as np

from ies_mm.report.reading.runs import Run
from paper_experiments.experiment import (
    OPEN,
    Claim,
    Found,
    Runs,
    accuracies,
    verdict,
)
from paper_experiments.panels import Line, Panel
from paper_experiments.scales import Scale
from paper_experiments.trainings import Training, by_ratio, ies, plain

RANDOM, SMALL_LOSS = 'RandomRemovalHook', 'SmallLossRescaleHook'
CRITERIA = {0: 'loss', 1: '1st order', 2: '2nd order', 3: '3rd order'}
WITHIN = 1.0
"""Points of accuracy that may be lost (section 4.3)."""

PAPER_SAVES = dict(cifar10='80%', cifar100='60%')


def sweep(scale: Scale, data: str, order: int) -> list[Training]:
    """IES by a range of numeric deltas."""
    middle = scale.deltas[order]
    return [
        ies(float(f'{middle * factor:.4g}'), order, data=data)
        for factor in scale.factors[order]
    ]


def methods(scale: Scale, data: str) -> dict[str, list[Training]]:
    """The lines of the upper row of Figure 5."""
    found = {
        f'IES, {name}': sweep(scale, data, order)
        for order, name in CRITERIA.items()
    }
    for name, kind in (
        ('Random Remove', RANDOM),
        ('Small Loss & Rescale', SMALL_LOSS),
    ):
        found[name] = [by_ratio(kind, r, data=data) for r in scale.ratios]
    return found


def figure5_trainings(scale: Scale) -> list[Training]:
    """All points, and the plain training."""
    found = []
    for data in scale.data_sets:
        found.append(plain(data=data))
        for line in methods(scale, data).values():
            found += line
    return found


def figure5(runs: Runs) -> Found:
    """Accuracy over what was excluded; below, what delta does."""
    upper, lower, claims = [], [], []
    for data in runs.scale.data_sets:
        upper.append(_accuracy_panel(runs, data))
        lower += _delta_panels(runs, data)
        claims += [_most_saved(runs, data), _range(runs, data)]
        claims.append(_best_criterion(upper[-1], data))
    return Found(claims, [*upper, *lower])


def _accuracy_panel(runs: Runs, data: str) -> Panel:
    lines = [
        _line(runs, name, trainings, colour)
        for colour, (name, trainings) in enumerate(
            methods(runs.scale, data).items()
        )
    ]
    base = float(np.mean(_last(runs.of(plain(data=data)))))
    return Panel(
        f'{data}: methods and criteria',
        'total excluded samples',
        'last test accuracy, %',
        lines,
        {'No Removal': base},
        percent='x',
    )


def _line(
    runs: Runs, name: str, trainings: Sequence[Training], colour: int
) -> Line:
    """By what was really excluded, ascending."""
    points = sorted(
        (
            float(np.mean([run.saved for run in runs.of(training)])),
            *_mean(_last(runs.of(training))),
        )
        for training in trainings
    )
    x, y, deviations = (list(part) for part in zip(*points, strict=True))
    several = len(runs.of(trainings[0])) > 1
    return Line(name, x, y, deviations if several else None, colour)


def _delta_panels(runs: Runs, data: str) -> list[Panel]:
    """Time, removed and accuracy over the factor of delta."""
    factors = list(runs.scale.factors[2])
    trainings = sweep(runs.scale, data, 2)
    base = runs.of(plain(data=data))
    time = float(np.mean(walls(base)))
    rows = [runs.of(training) for training in trainings]
    panels = []
    for name, values, level in (
        ('time / plain', [[w / time for w in walls(r)] for r in rows], 1.0),
        ('excluded', [[run.saved for run in r] for r in rows], None),
        (
            'last test accuracy, %',
            [_last(r) for r in rows],
            float(np.mean(_last(base))),
        ),
    ):
        means, deviations = zip(*map(_mean, values), strict=True)
        spread = list(deviations) if len(base) > 1 else None
        panels.append(
            Panel(
                f'{data}: delta',
                f'delta / {runs.scale.deltas[2]:g}',
                name,
                [Line('IES, 2nd order', factors, list(means), spread, 2)],
                None if level is None else {'No Removal': level},
                log='x',
                percent='y' if name == 'excluded' else '',
            )
        )
    return panels


def _most_saved(runs: Runs, data: str) -> Claim:
    base = float(np.mean(_last(runs.of(plain(data=data)))))
    line = _line(runs, '', sweep(runs.scale, data, 2), 0)
    most = most_saved_within(line.x, line.y, base - WITHIN)
    return Claim(
        f'{data}: most that IES saves within {WITHIN:g} point of No Removal',
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
        least (float): That is still good enough.

    Returns:
        float: None where the first value is too low already.
    """
    most = None
    for share, value in zip(saved, values, strict=True):
        if value < least:
            break
        most = share
    return most


def _range(runs: Runs, data: str) -> Claim:
    base = float(np.mean(_last(runs.of(plain(data=data)))))
    values = _line(runs, '', sweep(runs.scale, data, 2), 0).y
    lost = base - min(values)
    return Claim(
        f'{data}: delta x 0.01 to x 100 costs about 2 points at most',
        '2 points',
        f'{lost:.1f} points',
        verdict(lost <= 2),
    )


def _best_criterion(panel: Panel, data: str) -> Claim:
    """At the shares that all lines span."""
    lines = {line.label: line for line in panel.lines}
    low = max(min(line.x) for line in lines.values())
    high = min(max(line.x) for line in lines.values())
    says = (
        f'{data}: of all lines IES of 2nd order is the most accurate at '
        'equal shares excluded'
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
        verdict(order[0] == f'IES, {CRITERIA[2]}'),
    )


def _last(runs: Sequence[Run]) -> list[float]:
    return [accuracies(run)[-1] for run in runs]


def walls(runs: Sequence[Run]) -> list[float]:
    """Seconds without validations."""
    return [run.training_wall or float('nan') for run in runs]


def _mean(values: Sequence[float]) -> tuple[float, float]:
    """Mean and sample deviation, 0 for one value."""
    deviation = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
    return float(np.mean(values)), deviation
