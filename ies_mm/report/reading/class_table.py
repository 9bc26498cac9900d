"""The metric of every class, which evaluators print but do not return.

mmdet's VOCMetric and mmseg's IoUMetric log a table at every validation.
"""

import re
from collections.abc import Sequence

COLUMNS = ('ap', 'iou')
"""Headings of the columns to read."""

OVERALL = ('map', 'miou')
"""Rows that are not a class."""

_RULE = re.compile(r'\+[-+=]+\+\s*$')


def class_values(lines: Sequence[str]) -> dict[str, float]:
    """Read a log's last table: class -> value, in its order; {} without one.

    Args:
        lines (sequence of str): Lines of the log.
    """
    found: dict[str, float] = {}
    column: int | None = None
    for line in lines:
        cells = [cell.strip() for cell in line.strip().strip('|').split('|')]
        if line.startswith('|') and cells[0].lower() == 'class':
            column = _column(cells)
            found = {} if column is not None else found
        elif line.startswith('|') and column is not None:
            found |= _value(cells, column)
        # A rule may stand within a table; anything else ends it.
        elif not _RULE.match(line):
            column = None
    return found


def _column(headings: Sequence[str]) -> int | None:
    names = [heading.lower() for heading in headings]
    return next((names.index(name) for name in COLUMNS if name in names), None)


def _value(cells: Sequence[str], column: int) -> dict[str, float]:
    if cells[0].lower() in OVERALL or len(cells) <= column:
        return {}
    try:
        return {cells[0]: float(cells[column])}
    except ValueError:
        return {}
