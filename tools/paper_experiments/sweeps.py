"""Figure 5: accuracy over the excluded share, and the effect of delta."""

from collections.abc import Callable, Sequence

import numpy as np

from ies_mm.report.reading.runs import Run
from paper_experiments.experiment import (
    Found,
    Runs,
    last_accuracies,
    share_excluded,
)
from paper_experiments.panels import Line, Panel
from paper_experiments.scale import Scale
from paper_experiments.sweep_claims import (
    NO_REMOVAL,
    SECOND_ORDER,
    claims_of,
)
from paper_experiments.trainings import (
    TITLES,
    Training,
    by_ratio,
    ies,
    plain,
)

RANDOM, SMALL_LOSS = 'RandomRemovalHook', 'SmallLossRescaleHook'
CRITERIA = ('IES, loss', 'IES, 1st order', SECOND_ORDER, 'IES, 3rd order')


def sweep(scale: Scale, data: str, order: int) -> list[Training]:
    """IES with a range of numeric deltas."""
    middle = scale.deltas[order]
    return [
        ies(float(f'{middle * factor:.4g}'), order, data=data)
        for factor in scale.factors[order]
    ]


def methods(scale: Scale, data: str) -> dict[str, list[Training]]:
    """The lines of the upper row of Figure 5."""
    found = {
        name: sweep(scale, data, order) for order, name in enumerate(CRITERIA)
    }
    for name, kind in (
        ('Random Remove', RANDOM),
        ('Small Loss & Rescale', SMALL_LOSS),
    ):
        found[name] = [by_ratio(kind, r, data=data) for r in scale.ratios]
    return found


def figure5_trainings(scale: Scale) -> list[Training]:
    """The trainings of all points, and the plain ones."""
    return with_plain(scale, methods)


def with_plain(
    scale: Scale, lines_of: Callable[[Scale, str], dict[str, list[Training]]]
) -> list[Training]:
    """The trainings of all lines of each dataset, and its plain one."""
    found = []
    for data in scale.data_sets:
        found.append(plain(data=data))
        for line in lines_of(scale, data).values():
            found += line
    return found


def figure5(runs: Runs) -> Found:
    """Read Figure 5: accuracy over the excluded share; the effect of delta."""
    upper, lower, claims = [], [], []
    for data in runs.scale.data_sets:
        panel = _accuracy_panel(runs, data)
        upper.append(panel)
        lower += _delta_panels(runs, data)
        seeds = len(runs.of(plain(data=data)))
        claims += claims_of(panel, data, seeds)
    return Found(claims, [*upper, *lower])


def _accuracy_panel(runs: Runs, data: str) -> Panel:
    lines = [
        _line(runs, name, trainings, colour)
        for colour, (name, trainings) in enumerate(
            methods(runs.scale, data).items()
        )
    ]
    base = float(np.mean(last_accuracies(runs.of(plain(data=data)))))
    return Panel(
        f'{TITLES[data]}: methods and criteria',
        'total excluded samples',
        'last test accuracy, %',
        lines,
        {NO_REMOVAL: base},
        percent='x',
    )


def _line(
    runs: Runs, name: str, trainings: Sequence[Training], colour: int
) -> Line:
    """A line by the share that was actually excluded, ascending."""
    points = sorted(
        (
            float(np.mean([share_excluded(run) for run in runs.of(training)])),
            *_mean(last_accuracies(runs.of(training))),
        )
        for training in trainings
    )
    x, y, deviations = (list(part) for part in zip(*points, strict=True))
    several = len(runs.of(trainings[0])) > 1
    return Line(name, x, y, deviations if several else None, colour)


def _delta_panels(runs: Runs, data: str) -> list[Panel]:
    """Time, excluded share and accuracy over the factor of delta."""
    factors = list(runs.scale.factors[2])
    trainings = sweep(runs.scale, data, 2)
    base = runs.of(plain(data=data))
    time = float(np.mean(walls(base)))
    rows = [runs.of(training) for training in trainings]
    panels = []
    for name, values, level in (
        ('time / plain', [[w / time for w in walls(r)] for r in rows], 1.0),
        ('excluded', [[share_excluded(run) for run in r] for r in rows], None),
        (
            'last test accuracy, %',
            [last_accuracies(r) for r in rows],
            float(np.mean(last_accuracies(base))),
        ),
    ):
        means, deviations = zip(*map(_mean, values), strict=True)
        spread = list(deviations) if len(base) > 1 else None
        panels.append(
            Panel(
                f'{TITLES[data]}: delta',
                f'delta / {runs.scale.deltas[2]:g}',
                name,
                [Line(SECOND_ORDER, factors, list(means), spread, 2)],
                None if level is None else {NO_REMOVAL: level},
                log='x',
                percent='y' if name == 'excluded' else '',
            )
        )
    return panels


def walls(runs: Sequence[Run]) -> list[float]:
    """Wall seconds of each run, without validations."""
    return [run.training_wall or float('nan') for run in runs]


def _mean(values: Sequence[float]) -> tuple[float, float]:
    """Mean and sample deviation, 0 for one value."""
    deviation = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
    return float(np.mean(values)), deviation
