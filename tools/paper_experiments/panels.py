"""Panels of lines, and a figure made from them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import (
    FuncFormatter,
    LogLocator,
    MaxNLocator,
    NullFormatter,
    PercentFormatter,
)

from ies_mm.report.showing.curves import MARKERS
from ies_mm.report.showing.style import (
    COLOURS,
    PLAIN_COLOUR,
    STYLE,
    add_legend,
    as_png,
)

GREY = -1
"""The colour of plain runs and of reference lines."""

ALONE, BESIDE_OTHERS = (6.0, 4.0), (3.7, 3.0)
"""Width and height of a panel, in inches."""

MOST_TICKS = 5
"""Larger numbers of ticks would overlap in a narrow panel."""

MOST_MARKERS = 12
"""Lines with more points are drawn without markers."""


@dataclass(frozen=True)
class Line:
    """A line of a plot.

    Attributes:
        label (str): Label in the legend, once per figure.
        x (list of float): Positions, N.
        y (list of float): Means over seeds, N; NaN where unknown.
        spread (list of float, optional): Sample deviations over seeds, N;
            None with one seed.
        colour (int): Index of the colour, or :data:`GREY`.
        dashes (str): Matplotlib's line style. Defaults to a solid line.
    """

    label: str
    x: list[float]
    y: list[float]
    spread: list[float] | None = None
    colour: int = 0
    dashes: str = '-'


@dataclass(frozen=True)
class Panel:
    """One pair of axes.

    Attributes:
        title (str): Title above the axes.
        xlabel (str): Label of the x axis.
        ylabel (str): Label of the y axis.
        lines (list of Line): Lines to draw.
        levels (dict): Label -> height of a horizontal dotted line. Defaults
            to none.
        log (str): The logarithmic axes among ``'xy'``. Defaults to none.
        percent (str): The axes in percent among ``'xy'``. Defaults to none.
    """

    title: str
    xlabel: str
    ylabel: str
    lines: list[Line]
    levels: dict[str, float] | None = None
    log: str = ''
    percent: str = ''


def mean_line(
    label: str,
    curves: Sequence[tuple[Sequence[float], Sequence[float]]],
    colour: int = 0,
    dashes: str = '-',
) -> Line:
    """The mean of the curves of several seeds, cut to the shortest one.

    Args:
        label (str): Label in the legend.
        curves (sequence): (x, y) of each seed, at least one.
        colour (int): See :class:`Line`.
        dashes (str): See :class:`Line`.
    """
    length = min(len(y) for _, y in curves)
    x, y = (
        np.array([curve[part][:length] for curve in curves], dtype=float)
        for part in (0, 1)
    )
    several = len(curves) > 1
    return Line(
        label,
        x.mean(axis=0).tolist(),
        y.mean(axis=0).tolist(),
        y.std(axis=0, ddof=1).tolist() if several else None,
        colour,
        dashes,
    )


def draw_panels(panels: Sequence[Panel], columns: int) -> bytes:
    """Draw the panels as a PNG.

    Args:
        panels (sequence of Panel): Panels, row by row.
        columns (int): Panels per row, if there are as many.
    """
    columns = min(columns, len(panels))
    rows = math.ceil(len(panels) / columns)
    with matplotlib.rc_context(STYLE):
        width, height = ALONE if len(panels) == 1 else BESIDE_OTHERS
        figure = Figure(
            figsize=(width * columns, height * rows + 0.5),
            layout='constrained',
        )
        for number, panel in enumerate(panels, 1):
            _draw(figure.add_subplot(rows, columns, number), panel)
        add_legend(figure, columns=2 * columns)
        return as_png(figure, dpi=110)


def _draw(axes: Axes, panel: Panel) -> None:
    for line in panel.lines:
        _draw_line(axes, line)
    for label, height in (panel.levels or {}).items():
        axes.axhline(height, color='#808080', linestyle=':', label=label)
    axes.set(title=panel.title, xlabel=panel.xlabel, ylabel=panel.ylabel)
    for name, axis in (('x', axes.xaxis), ('y', axes.yaxis)):
        if name in panel.log:
            _scale_by_log(axes, name)
        else:
            axis.set_major_locator(MaxNLocator(MOST_TICKS))
        if name in panel.percent:
            axis.set_major_formatter(PercentFormatter(1))


def _scale_by_log(axes: Axes, name: str) -> None:
    axes.set(**{f'{name}scale': 'log'})
    axis: Any = axes.xaxis if name == 'x' else axes.yaxis
    # Along x, labels are beside each other.
    subs = (1, 2, 5) if name == 'y' else (1,)
    axis.set_major_locator(LogLocator(subs=subs, numticks=MOST_TICKS))
    axis.set_minor_formatter(NullFormatter())
    # Powers of ten would be written as mathematics, which the style leaves
    # unparsed since run names may contain dollar signs.
    axis.set_major_formatter(FuncFormatter(lambda value, _: f'{value:g}'))


def _draw_line(axes: Axes, line: Line) -> None:
    colour = COLOURS[line.colour % len(COLOURS)]
    marker = MARKERS[line.colour % len(MARKERS)]
    if line.colour == GREY:
        colour, marker = PLAIN_COLOUR, 'o'
    axes.plot(
        line.x,
        line.y,
        color=colour,
        linestyle=line.dashes,
        marker=marker if len(line.x) <= MOST_MARKERS else None,
        markersize=4,
        label=line.label,
    )
    if line.spread is not None:
        low, high = (
            [y + sign * s for y, s in zip(line.y, line.spread, strict=True)]
            for sign in (-1, 1)
        )
        axes.fill_between(
            line.x, low, high, color=colour, alpha=0.18, linewidth=0
        )
