"""A diagnosis as one picture with five panels."""

import textwrap
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import (
    LogLocator,
    MaxNLocator,
    NullFormatter,
    PercentFormatter,
    StrMethodFormatter,
)

from ies_mm.core.lengths import ORDERS
from ies_mm.report.calibrating.diagnosis import QUANTILES, Diagnosis
from ies_mm.report.calibrating.measures import NOISE
from ies_mm.report.calibrating.noise import ALL
from ies_mm.report.showing.style import COLOURS, STYLE, as_png

NEUTRAL: dict[str, Any] = dict(color='#808080', linestyle=':')
LIMIT: dict[str, Any] = dict(color=COLOURS[1], linestyle='--')
BACKGROUND: dict[str, Any] = dict(frameon=True, framealpha=0.85)
FORESIGHT = 'Rank correlation with the further decrease'
LAYOUT: list[Any] = [
    ['course', 'variations'],
    ['settings', 'foresight'],
    ['noise', 'noise'],
]


def draw(diagnosis: Diagnosis) -> bytes:
    """Draw all panels as a PNG."""
    with matplotlib.rc_context(STYLE | {'axes.titlelocation': 'left'}):
        figure = Figure(figsize=(11, 10), layout='constrained')
        axes = figure.subplot_mosaic(LAYOUT, height_ratios=(3, 3, 2))
        _course(axes['course'], diagnosis)
        _variations(axes['variations'], diagnosis)
        _settings(axes['settings'], diagnosis)
        _foresight(axes['foresight'], diagnosis)
        _noise(axes['noise'], diagnosis)
        return as_png(figure, dpi=130)


def _course(axes: Axes, diagnosis: Diagnosis) -> None:
    """How the criterion falls."""
    epochs = diagnosis.recorded.numbers
    low, quarter, middle, three, high = diagnosis.quantiles.T
    blue = COLOURS[0]
    axes.fill_between(epochs, low, high, color=blue, alpha=0.15, linewidth=0)
    axes.fill_between(epochs, quarter, three, color=blue, alpha=0.25, lw=0)
    axes.plot(epochs, middle, color=blue, label='median image')
    if diagnosis.noise is not None:
        line = diagnosis.noise.floor
        axes.axhline(line, label='the same with frozen weights', **LIMIT)
    axes.set_yscale('log')
    _plain_numbers(axes.yaxis)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(
        xlabel='epoch',
        ylabel='criterion',
        title=f'Median, middle half, {QUANTILES[0]:.0%} to '
        f'{QUANTILES[-1]:.0%} of the images',
    )
    axes.legend(**BACKGROUND)


def _variations(axes: Axes, diagnosis: Diagnosis) -> None:
    """How much the images differ, after the paper's Figure 3."""
    epochs = diagnosis.recorded.numbers
    for order, values in zip(ORDERS, diagnosis.variations, strict=True):
        axes.plot(epochs, values, color=COLOURS[order], label=f'order {order}')
    axes.axhline(NOISE, label='only noise, orders 1 to 3', **NEUTRAL)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(
        xlabel='epoch',
        ylabel='coefficient of variation',
        title='Differences of the loss, over images',
    )
    axes.legend(**BACKGROUND)


def _foresight(axes: Axes, diagnosis: Diagnosis) -> None:
    """How well the further decrease is predicted."""
    if diagnosis.missing:
        reason = textwrap.fill(diagnosis.missing, 46)
        _say_not_measured(axes, FORESIGHT, reason)
        return
    rows = diagnosis.foresight[::-1]
    axes.barh(
        [row.name for row in rows],
        [np.nan_to_num(row.decrease) for row in rows],
        color=COLOURS[0],
        height=0.6,
    )
    axes.axvline(0, color='#808080', linewidth=0.8)
    axes.set(xlabel='rank correlation', title=FORESIGHT)
    if diagnosis.measured:
        axes.axvline(diagnosis.best, label='a perfect criterion', **LIMIT)
        axes.legend(**BACKGROUND)


def _settings(axes: Axes, diagnosis: Diagnosis) -> None:
    """What a range of deltas would have saved."""
    scores = diagnosis.recorded.scores(diagnosis.criterion)
    # A logarithmic axis cannot show zeros.
    known = scores[np.isfinite(scores) & (scores > 0)]
    low, high = np.quantile(known, (0.005, 0.995)).tolist()
    deltas = np.geomspace(low, high, 60)
    # The decision after the last epoch prunes nothing.
    decided = scores[:-1]
    saved = [(decided < delta).sum() / scores.size for delta in deltas]
    axes.plot(deltas, saved, color=COLOURS[0])
    tried = diagnosis.tried
    axes.plot(tried.delta, tried.saved, 'o', color=COLOURS[0])
    axes.annotate(
        f'{tried.delta:.3g}',
        (tried.delta, tried.saved),
        xytext=(8, -4),
        textcoords='offset points',
        va='top',
    )
    if diagnosis.noise is not None:
        axes.axvline(diagnosis.noise.floor, label='noise floor', **LIMIT)
        axes.legend(**BACKGROUND)
    axes.set_xscale('log')
    _plain_numbers(axes.xaxis)
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    axes.set(xlabel='delta', ylabel='saved', title='What it would have saved')


def _noise(axes: Axes, diagnosis: Diagnosis) -> None:
    """Where the noise comes from."""
    if diagnosis.noise is None:
        reason = 'not measured: needs passes with frozen weights (--images)'
        _say_not_measured(axes, 'Noise of frozen weights', reason)
        return
    axes.set_title('Noise of frozen weights')
    spread = {k: v[-1] for k, v in diagnosis.noise.spread.items()}
    names = sorted(spread, key=lambda name: (name == ALL, spread[name]))
    axes.barh(names, [spread[n] for n in names], color=COLOURS[0], height=0.6)
    axes.set(xlabel='standard deviation of the summed loss')


def _say_not_measured(axes: Axes, title: str, reason: str) -> None:
    axes.set_title(title)
    axes.set_axis_off()
    axes.text(0.5, 0.5, reason, ha='center', va='center')


def _plain_numbers(axis: Axis) -> None:
    """Label a logarithmic axis without powers of ten, which need math text."""
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(StrMethodFormatter('{x:g}'))
    axis.set_minor_formatter(NullFormatter())
