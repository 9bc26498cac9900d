"""Metric and pruned images over epochs, after the paper's Figure 1."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from ies_mm.report.comparing.figures import values_of
from ies_mm.report.comparing.groups import Group
from ies_mm.report.comparing.notes import Comparison
from ies_mm.report.reading.methods import PLAIN
from ies_mm.report.reading.runs import Run
from ies_mm.report.showing.axis import PASS, axis_label, positions
from ies_mm.report.showing.means import mean_by_step
from ies_mm.report.showing.style import (
    COLOURS,
    PLAIN_COLOUR,
    STYLE,
    add_legend,
    as_png,
)

Floats = NDArray[np.float64]
MARKERS = 'osD^vPX'


Curve = dict[int, tuple[float, float]]
"""Epoch or iteration -> place on the axis, value."""
Panel = Callable[[Axes, Comparison], None]


@dataclass(frozen=True)
class Look:
    """The line style of a group, the same in every panel."""

    colour: str
    marker: str
    dashes: str


def draw_curves(comparison: Comparison) -> bytes:
    """Draw both panels side by side as a PNG."""
    return _png(comparison, (metric_panel, count_panel), (10, 4.6))


def draw_panel(comparison: Comparison, panel: Panel) -> bytes:
    """Draw one panel as a PNG that is readable on a small screen."""
    return _png(comparison, (panel,), (5, 4.4))


def metric_panel(axes: Axes, comparison: Comparison) -> None:
    """Draw the metric: mean and sample deviation over seeds."""
    runs = [run for row in comparison.rows for run in row.group.runs]
    for group, look in _looks(comparison):
        curves = [
            _metric_curve(run, comparison.metric, runs) for run in group.runs
        ]
        _draw(axes, curves, look, group.label)
    axes.set(
        xlabel=axis_label(runs),
        ylabel=comparison.metric or 'no validation yet',
        title='Validation',
    )


def seconds_panel(axes: Axes, comparison: Comparison) -> None:
    """Draw the metric over seconds: what is reached in the same time."""
    for group, look in _looks(comparison):
        if all(_is_timed(run, comparison.metric) for run in group.runs):
            curves = [
                _curve(_points(run, comparison.metric), run.validated_at)
                for run in group.runs
            ]
            _draw(axes, curves, look, group.label)
    axes.set(
        xlabel='seconds without validations',
        ylabel=comparison.metric,
        title='In the same time',
    )


def has_seconds(comparison: Comparison) -> bool:
    """Whether any run has at least two validations at known times."""
    return any(
        len(run.validated_at) > 1 and _is_timed(run, comparison.metric)
        for row in comparison.rows
        for run in row.group.runs
    )


def count_panel(axes: Axes, comparison: Comparison) -> None:
    """Draw the pruned images; for a dry run, those it would have pruned."""
    runs = [run for row in comparison.rows for run in row.group.runs]
    for group, look in _looks(comparison):
        if not any(run.records for run in group.runs):
            continue
        curves = [_count_curve(run) for run in group.runs]
        _draw(axes, curves, look, group.label)
    dry = any(run.dry_run for run in runs)
    counts = {r['instances'] for run in runs for r in run.records}
    of = f' of {min(counts):,}' if len(counts) == 1 else ''
    axes.set(
        xlabel=PASS if axis_label(runs) != 'epoch' else 'epoch',
        ylabel=f'images{of}',
        title='Images pruned' + (' (dashed: mastered)' if dry else ''),
    )
    axes.set_ylim(bottom=0)


def _png(
    comparison: Comparison, panels: Sequence[Panel], size: tuple[float, float]
) -> bytes:
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=size, layout='constrained')
        for number, panel in enumerate(panels):
            axes = figure.add_subplot(1, len(panels), number + 1)
            panel(axes, comparison)
            axes.set_xlim(left=0)
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        add_legend(figure, columns=2 * len(panels))
        return as_png(figure, dpi=160)


def _looks(comparison: Comparison) -> Iterator[tuple[Group, Look]]:
    """Yield each group's style; a config has one colour, finished or not."""
    families: list[str] = []
    for row in comparison.rows:
        group = row.group
        if group.family not in families:
            families.append(group.family)
        number = families.index(group.family)
        colour = COLOURS[number % len(COLOURS)]
        if group.method == PLAIN and number == 0:
            colour = PLAIN_COLOUR
        dashes = '--' if group.runs[0].dry_run else '-'
        if not group.finished:
            dashes = ':'
        marker = MARKERS[number % len(MARKERS)]
        yield group, Look(colour, marker, dashes)


def _draw(axes: Axes, curves: Sequence[Curve], look: Look, label: str) -> None:
    """Draw the mean of curves over the runs, and a band of one deviation.

    Where only some runs go on, the line goes on without a band.
    """
    curves = [curve for curve in curves if curve]
    if not curves:
        return
    steps, means, shared = mean_by_step(curves)
    places, mean = means.T
    axes.plot(
        places,
        mean,
        color=look.colour,
        linestyle=look.dashes,
        marker=look.marker,
        markersize=4,
        label=label,
    )
    if len(curves) > 1 and shared:
        common = steps[:shared]
        values = [[curve[step][1] for step in common] for curve in curves]
        _draw_band(axes, places[:shared], np.array(values), look)


def _draw_band(axes: Axes, places: Floats, values: Floats, look: Look) -> None:
    """Draw one deviation around the mean of values (runs, places)."""
    mean, spread = values.mean(axis=0), values.std(axis=0, ddof=1)
    low, high, colour = mean - spread, mean + spread, look.colour
    if len(places) == 1:
        # A band needs two places.
        axes.errorbar(places, mean, spread, color=colour, capsize=4)
        return
    axes.fill_between(places, low, high, color=colour, alpha=0.18, linewidth=0)


def _points(run: Run, metric: str | None) -> dict[int, float]:
    return run.points.get(metric or '', {})


def _curve(points: dict[int, float], places: Sequence[float]) -> Curve:
    pairs = zip(places, points.values(), strict=True)
    return dict(zip(points, pairs, strict=True))


def _metric_curve(run: Run, metric: str | None, runs: Sequence[Run]) -> Curve:
    points = _points(run, metric)
    return _curve(points, positions(run, list(points), runs))


def _is_timed(run: Run, metric: str | None) -> bool:
    return len(run.validated_at) == len(values_of(run, metric)) > 0


def _count_curve(run: Run) -> Curve:
    if run.dry_run:
        # Images mastered after an epoch would be pruned in the next one.
        found = {r['epoch'] + 1: r['mastered'] for r in run.records[:-1]}
    else:
        found = {r['epoch']: r['excluded'] for r in run.records}
    return _curve(found, list(found))
