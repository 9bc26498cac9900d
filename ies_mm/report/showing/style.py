"""Shared by all pictures: colours, legend, file format."""

import io
import textwrap
from typing import Any

from matplotlib.figure import Figure
from matplotlib.legend import Legend

# Okabe and Ito's colours, which colour-blind readers can tell apart, without
# the yellow, which is too light for a line.
PLAIN_COLOUR = '#404040'
COLOURS = ('#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9')
STYLE: dict[Any, Any] = {
    'axes.spines.top': False,
    'axes.spines.right': False,
    'axes.grid': True,
    'axes.axisbelow': True,
    'grid.color': '#e4e4e4',
    'font.size': 10,
    'legend.frameon': False,
    # A dollar sign in a name does not start a formula.
    'text.parse_math': False,
}

LEGEND_WIDTH = 48
"""Maximum characters per line of a label."""


def as_png(figure: Figure, dpi: int) -> bytes:
    """Render the figure as PNG data."""
    file = io.BytesIO()
    figure.savefig(file, format='png', dpi=dpi)
    return file.getvalue()


def add_legend(figure: Figure, columns: int) -> None:
    """Add one legend below; a label that is in two panels appears once.

    Long labels get fewer columns, so that the legend fits the figure.
    """
    lines: dict[str, Any] = {}
    for axes in figure.axes:
        handles, labels = axes.get_legend_handles_labels()
        lines |= dict(zip(labels, handles, strict=True))
    for fewer in range(columns if lines else 0, 0, -1):
        # A legend can be measured only once it exists.
        legend = figure.legend(
            list(lines.values()),
            [textwrap.fill(label, LEGEND_WIDTH) for label in lines],
            loc='outside lower center',
            ncols=fewer,
        )
        if fewer == 1 or _width(legend) <= figure.bbox.width:
            return
        legend.remove()


def _width(legend: Legend) -> float:
    """Width in pixels."""
    return legend.get_window_extent().width
