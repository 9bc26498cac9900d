"""Forest plots: mean differences with their intervals, row by row."""

import textwrap
from collections.abc import Mapping

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ies_mm.report.comparing.differences import Difference
from ies_mm.report.comparing.notes import Comparison
from ies_mm.report.showing.style import (
    COLOURS,
    PLAIN_COLOUR,
    STYLE,
    as_png,
)
from ies_mm.report.showing.table import CONTROLS

LABEL_WIDTH = 28
"""Maximum characters per line of a row's label."""
ALL_PANELS, NARROWEST = 8.7, 1.8
"""Width of all panels together, and the least one of each, in inches."""
SIGN_COLOURS = {1: COLOURS[0], -1: COLOURS[1], 0: '#707070', None: '#707070'}
"""Above zero, below, the interval includes zero, too few seeds."""

Panel = Mapping[str, Difference]
"""Label of a row -> its difference."""


def draw_differences(comparison: Comparison) -> bytes | None:
    """Draw the differences from each control; None if there are none."""
    panels = {
        f'minus {kind}': {
            row.group.label: difference
            for row in comparison.rows
            for difference in row.differences
            if difference.kind == kind
        }
        for kind in CONTROLS
    }
    panels = {title: panel for title, panel in panels.items() if panel}
    xlabel = f'difference in the last {comparison.metric}'
    return draw_forest(panels, xlabel) if panels else None


def draw_forest(panels: Mapping[str, Panel], xlabel: str) -> bytes:
    """Draw panels side by side, over the rows that any of them has, as a PNG.

    Args:
        panels (dict): Title -> panel.
        xlabel (str): What the differences are.
    """
    labels = list(dict.fromkeys(name for p in panels.values() for name in p))
    width = max(ALL_PANELS, NARROWEST * len(panels))
    size = (width + 1.8, 0.42 * len(labels) + 1.3)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=size, layout='constrained')
        grid = figure.subplots(
            1, len(panels), sharex=True, sharey=True, squeeze=False
        )
        drawn = zip(grid.flat, panels.items(), strict=True)
        for axes, (title, panel) in drawn:
            _draw(axes, panel, labels)
            axes.set_title(title, fontsize=10)
        grid[0, 0].set_yticks(
            range(len(labels)),
            [textwrap.fill(label, LABEL_WIDTH) for label in labels],
        )
        # Once for all panels: turns the shared axis, the first row on top.
        grid[0, 0].set_ylim(len(labels) - 0.5, -0.5)
        figure.supxlabel(xlabel, fontsize=10)
        return as_png(figure, dpi=160)


def _draw(axes: Axes, panel: Panel, labels: list[str]) -> None:
    axes.axvline(0, color=PLAIN_COLOUR, linewidth=1)
    for place, label in enumerate(labels):
        if label in panel:
            _draw_row(axes, place, panel[label])
    axes.grid(axis='y', visible=False)
    axes.tick_params(axis='y', length=0)
    axes.spines['left'].set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(5))


def _draw_row(axes: Axes, place: int, difference: Difference) -> None:
    """The seeds as small points, the mean as a large one on its interval."""
    colour = SIGN_COLOURS[difference.sign_among(1)]
    seeds = difference.by_seed
    if difference.interval is not None:
        axes.plot(
            difference.interval, [place, place], color=colour, linewidth=2
        )
    axes.plot(
        seeds,
        [place + 0.25] * len(seeds),
        '.',
        color=colour,
        alpha=0.5,
        markersize=4,
    )
    axes.plot(difference.mean, place, 'o', color=colour, markersize=6)
