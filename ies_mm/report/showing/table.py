"""The comparison's table: its cells, and lines of at most 120 columns.

The page (``page.py``, ``page.html.j2``) shows the same cells under the same
headings. Their values come from ``comparing/figures.py``.
"""

import textwrap
from collections.abc import Sequence

from ies_mm.report.columns import line, widths_of
from ies_mm.report.comparing.classes import worst_class
from ies_mm.report.comparing.differences import Difference, decimals
from ies_mm.report.comparing.figures import Figures, Spread
from ies_mm.report.comparing.notes import Comparison, Row
from ies_mm.report.reading.methods import PLAIN, RANDOM, SHORT
from ies_mm.report.showing.prose import wrapped

GROUPS = {
    '': ('method', 'runs'),
    'metric': ('best', 'last'),
    'training samples': ('saved', 'forward only'),
    'seconds': ('training', 'scoring', 'decision', 'total'),
    'against plain': ('speed up', 'of ideal'),
}
"""The columns, under the headings that the page shows above them."""

HEADINGS = tuple(title for titles in GROUPS.values() for title in titles)
DETAILS = (
    'runs', 'best', 'forward only', 'training', 'scoring', 'decision',
    'total', 'of ideal',
)  # fmt: skip
"""Columns hidden on a narrow screen."""
CONTROLS = (PLAIN, SHORT, RANDOM)
LABEL_WIDTH = 18
UNKNOWN = '-'


def table(comparison: Comparison) -> str:
    """Format the verdict, the rows and the notes."""
    heading = [title.partition(' ')[::2] for title in HEADINGS]
    lines = _aligned(heading, [cells(row) for row in comparison.rows])
    above = 'no run has been validated yet'
    if comparison.metric:
        above = f'metric: {comparison.metric} (higher is better)'
    notes = [wrapped(note) for note in comparison.notes]
    worst = _worst_classes(comparison)
    apart = _differences(comparison)
    verdict = [wrapped(finding) for finding in comparison.findings]
    return '\n'.join(
        [
            *([*verdict, ''] if verdict else []),
            *[above, '', *lines, ''],
            *([*apart, ''] if apart else []),
            *([worst, ''] if worst else []),
            *notes,
        ]
    ).rstrip()


def cells(row: Row) -> list[str]:
    """The cells of a row, one for each of ``HEADINGS``."""
    figures, gain = row.figures, row.speed_up
    selected = row.group.runs[0].selected
    share = gain.share if gain and row.saves else None
    return [
        row.group.label,
        str(len(row.group.runs)),
        metric_text(figures.best),
        metric_text(figures.last),
        share_text(figures.saved) if selected else UNKNOWN,
        f'{figures.forward_only.mean:,.0f}' if selected else UNKNOWN,
        _training_text(figures),
        seconds_text(figures.refresh_seconds),
        seconds_text(figures.decision_seconds),
        seconds_text(figures.total_seconds),
        f'{gain.factor:.2f}x' if gain else UNKNOWN,
        UNKNOWN if share is None else f'{share:.0%}',
    ]


def difference_cells(row: Row) -> list[str]:
    """The label, and the difference from each of ``CONTROLS``."""
    found = {difference.kind: difference for difference in row.differences}
    texts = [difference_text(found.get(kind)) for kind in CONTROLS]
    return [row.group.label, *texts]


def difference_text(difference: Difference | None) -> str:
    """Mean, 95% interval and seeds, in the metric's own units."""
    if difference is None:
        return UNKNOWN
    text = difference.text(difference.mean)
    seeds = len(difference.by_seed)
    if difference.interval is None:
        return f'{text} (n={seeds})'
    low, high = map(difference.text, difference.interval)
    return f'{text} ({low} to {high}, n={seeds})'


def compared(comparison: Comparison) -> list[Row]:
    """The rows that have a difference from a control."""
    return [row for row in comparison.rows if row.differences]


def metric_text(spread: Spread | None) -> str:
    """Mean and deviation; percentages have two decimals, fractions three."""
    if spread is None:
        return UNKNOWN
    places = decimals([spread.mean])
    text = f'{spread.mean:.{places}f}'
    if spread.deviation is None:
        return text
    return f'{text} ± {spread.deviation:.{places}f}'


def share_text(spread: Spread | None) -> str:
    """A mean share in percent."""
    return f'{spread.mean:.1%}' if spread else UNKNOWN


def seconds_text(spread: Spread | None) -> str:
    """Mean seconds; below ten with one decimal."""
    if spread is None:
        return UNKNOWN
    if 0 < spread.mean < 0.05:
        return '<0.1'
    return f'{spread.mean:,.{1 if spread.mean < 10 else 0}f}'


def _differences(comparison: Comparison) -> list[str]:
    rows = [difference_cells(row) for row in compared(comparison)]
    if not rows:
        return []
    heading = [('method', '')]
    heading += [(f'minus {kind}', '') for kind in CONTROLS]
    return [
        'last metric minus that of a control: mean (95% interval, n seeds)',
        '',
        *_aligned(heading, rows),
    ]


def _worst_classes(comparison: Comparison) -> str:
    found = [
        (row.group.label, worst)
        for row in comparison.rows
        if (worst := worst_class(row.group))
    ]
    texts = [
        f'{label}: {name} {metric_text(value)}'
        for label, (name, value) in found
    ]
    return wrapped(f'worst class: {"; ".join(texts)}') if texts else ''


def _training_text(figures: Figures) -> str:
    """In brackets if it is wall time, which includes more."""
    text = seconds_text(figures.training_seconds)
    is_wall = figures.refresh_seconds is None and text != UNKNOWN
    return f'({text})' if is_wall else text


def _aligned(
    heading: Sequence[tuple[str, str]], rows: Sequence[Sequence[str]]
) -> list[str]:
    top = [first for first, _ in heading]
    below = [second for _, second in heading]
    widths = widths_of([top, below, *rows])
    widths[0] = min(widths[0], LABEL_WIDTH)
    lines = [line(top, widths)]
    lines += [line(below, widths)] if any(below) else []
    lines.append('-' * len(lines[0]))
    for row in rows:
        lines += _row_lines(row, widths)
    return lines


def _row_lines(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    """A long label continues in the next line."""
    label, *more = textwrap.wrap(row[0], widths[0]) or ['']
    return [line([label, *row[1:]], widths), *more]
