"""Where the time of each epoch goes, method by method."""

import textwrap
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ies_mm.report.comparing.groups import Group
from ies_mm.report.comparing.notes import Comparison
from ies_mm.report.reading.methods import PLAIN
from ies_mm.report.showing.means import mean_by_step
from ies_mm.report.showing.style import (
    COLOURS,
    PLAIN_COLOUR,
    STYLE,
    add_legend,
    as_png,
)

COLUMNS = 3
TITLE_WIDTH = 34
"""Maximum characters per line of a title."""

PARTS = {
    'training': COLOURS[0],
    'waiting for the first batch': COLOURS[5],
    'scoring': COLOURS[1],
    'collecting, deciding, recording': COLOURS[2],
}


def draw_times(comparison: Comparison) -> bytes | None:
    """Draw the seconds of every epoch, stacked; None without any records.

    Validations and checkpoints are not part of any of them.
    """
    groups = [
        row.group
        for row in comparison.rows
        if all(run.records for run in row.group.runs)
    ]
    if not groups:
        return None
    columns = min(COLUMNS, len(groups))
    rows = -(-len(groups) // columns)
    with matplotlib.rc_context(STYLE):
        figure = Figure(
            figsize=(3.2 * columns + 0.6, 2.7 * rows + 0.7),
            layout='constrained',
        )
        grid = figure.subplots(
            rows, columns, sharex=True, sharey=True, squeeze=False
        )
        for axes in grid.flat[len(groups) :]:
            axes.set_visible(False)
        for axes, group in zip(grid.flat, groups, strict=False):
            _draw(axes, group, _plain_epoch(comparison))
        for axes in grid.flat[len(groups) - columns : len(groups)]:
            # There may be no axes below these.
            axes.tick_params(labelbottom=True)
            axes.set_xlabel('epoch')
        add_legend(figure, columns=min(columns, 2))
        return as_png(figure, dpi=160)


def parts_of(record: dict[str, Any]) -> list[float]:
    """Seconds of an epoch, in the order of ``PARTS``.

    Records of earlier versions have only training, scoring and deciding.
    """
    start = record.get('start_seconds', 0.0)
    return [
        record['train_seconds'] - start,
        start,
        record['refresh_seconds'],
        record['decide_seconds']
        + record.get('collect_seconds', 0.0)
        + record.get('record_seconds', 0.0),
    ]


def _draw(axes: Axes, group: Group, plain_epoch: float | None) -> None:
    epochs, means, _ = mean_by_step(
        [
            {record['epoch']: parts_of(record) for record in run.records}
            for run in group.runs
        ]
    )
    seconds = means.T
    below = np.zeros(len(epochs))
    for part, (label, colour) in zip(seconds, PARTS.items(), strict=True):
        axes.bar(epochs, part, 1.0, below, color=colour, label=label)
        below += part
    if plain_epoch is not None:
        axes.axhline(
            plain_epoch,
            color=PLAIN_COLOUR,
            linestyle='--',
            label='mean epoch of the plain runs',
        )
    share = seconds[2:].sum() / seconds.sum()
    name = textwrap.fill(group.label, TITLE_WIDTH)
    axes.set(
        xlabel='epoch',
        ylabel='seconds',
        title=f'{name}\n{share:.1%} between epochs',
    )
    axes.title.set_fontsize(9)
    axes.margins(x=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.label_outer()


def _plain_epoch(comparison: Comparison) -> float | None:
    """Mean epoch seconds of the plain runs with an epoch-based loop."""
    runs = [
        run
        for row in comparison.rows
        for run in row.group.runs
        if row.group.method == PLAIN and run.progress.unit == 'epoch'
    ]
    means = [
        run.training_wall / run.progress.done
        for run in runs
        if run.training_wall and run.progress.done
    ]
    return float(np.mean(means)) if means else None
