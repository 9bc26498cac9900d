"""Figure 4: training dynamics over backpropagated instances."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ies_mm.errors import ConfigError
from ies_mm.report.files import json_lines
from paper_experiments.experiment import (
    METRIC,
    OPEN,
    Claim,
    Found,
    Runs,
    verdict,
)
from paper_experiments.panels import GREY, Line, Panel, mean_line
from paper_experiments.scale import Scale
from paper_experiments.trainings import (
    ADAM,
    SGD_E,
    Training,
    ies,
    plain,
)

OPTIMISERS = {SGD_E: 'SGD', ADAM: 'Adam'}
TEST_ERROR = 'test error, %'
MEASURES = {
    'gradient_norm': 'gradient norm',
    'loss': 'training loss',
    'sam': 'SAM value',
    'top_eigenvalue': 'largest eigenvalue',
}
"""Keys of the lines of ``dynamics.jsonl``, in the order of the figure."""

PLACES = 50
"""Number of points at which two curves are compared."""


def pair(scale: Scale, setting: str) -> tuple[Training, Training]:
    """The plain training and IES."""
    same: dict[str, Any] = dict(
        of_figure_4=True, setting=setting, dynamics=True
    )
    return plain(**same), ies(scale.delta_of_figure_4, **same)


def trainings(scale: Scale) -> list[Training]:
    """The trainings with both optimisers."""
    return [t for setting in OPTIMISERS for t in pair(scale, setting)]


def figure4(runs: Runs) -> Found:
    """Read Figure 4: a row of five panels for each optimiser."""
    panels, claims = [], []
    for setting, name in OPTIMISERS.items():
        base, own = pair(runs.scale, setting)
        begins = _first_pruned(runs, own)
        for key, label in {METRIC: TEST_ERROR, **MEASURES}.items():
            lines = [
                mean_line(who, _curves(runs, training, key), colour)
                for who, training, colour in (
                    ('No Removal', base, GREY),
                    ('IES', own, 0),
                )
            ]
            log = '' if key == METRIC else _log(lines)
            panel = Panel(
                name, 'backpropagated instances', label, lines, log=log
            )
            panels.append(panel)
            claims.append(_claim(f'{name}, {label}', lines, key, begins))
    return Found(claims, panels)


def _curves(
    runs: Runs, training: Training, key: str
) -> list[tuple[list[float], list[float]]]:
    """A measure over the images trained on so far, for each seed."""
    found = []
    pairs = zip(runs.of(training), runs.paths(training), strict=True)
    for run, path in pairs:
        file = path / 'ies' / 'dynamics.jsonl'
        lines = json_lines(file)
        if not lines:
            raise ConfigError(f'{file} is missing or empty')
        if key == METRIC:
            errors = {e: 100 - v for e, v in run.points[METRIC].items()}
            lines = [line | {key: errors.get(line['epoch'])} for line in lines]
        known = [line for line in lines if line[key] is not None]
        if not known:
            raise ConfigError(f'{file} has no {key}')
        x = [float(line['instances']) for line in known]
        y = [float(line[key]) for line in known]
        found.append((x, y))
    return found


def _log(lines: Sequence[Line]) -> str:
    """Use a logarithmic axis if all values allow it."""
    return 'y' if all(y > 0 for line in lines for y in line.y) else ''


def _first_pruned(runs: Runs, own: Training) -> float:
    """Images trained on before the first pruning; infinite without any."""
    starts = [
        sum(r['trained'] for r in run.records[: record['epoch'] - 1])
        for run in runs.of(own)
        for record in run.records
        if record['excluded']
    ]
    return float(min(starts, default=np.inf))


def _claim(what: str, lines: Sequence[Line], key: str, begins: float) -> Claim:
    """Compare at equal numbers of images, since the runs differ in them."""
    above = key == 'gradient_norm'
    says = f'{what}: IES {"above" if above else "below"} No Removal'
    part = share_above(lines[1], lines[0], begins)
    if part is None:
        return Claim(says, 'consistently', 'nothing was pruned', OPEN)
    share = part if above else 1 - part
    return Claim(
        says,
        'consistently',
        f'over {share:.0%} of the way since the first exclusion',
        verdict(share > 0.9),
    )


def share_above(one: Line, other: Line, begins: float) -> float | None:
    """The fraction of the x axis on which one line is above another.

    Args:
        one (Line): With ascending x.
        other (Line): With ascending x.
        begins (float): Start of the comparison; it ends with the shorter line.

    Returns:
        float: None if the lines do not overlap there.
    """
    low = max(begins, one.x[0], other.x[0])
    high = min(one.x[-1], other.x[-1])
    if not low < high:
        return None
    places = np.linspace(low, high, PLACES)
    ours, theirs = (np.interp(places, k.x, k.y) for k in (one, other))
    return float((ours > theirs).mean())
