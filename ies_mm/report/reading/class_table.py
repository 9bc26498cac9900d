"""The metric of every class, which evaluators print at every validation.

mmdet's VOCMetric and mmseg's IoUMetric log a table; mmpretrain's
SingleLabelMetric with ``average=None`` logs a list, of which the recall is the
accuracy within each class.
"""

import math
import re
from collections.abc import Sequence
from typing import Any

from ies_mm.report.values import printable

COLUMNS = ('ap', 'iou')
"""Headings of the columns to read."""

TRUTHS = ('gts', 'acc')
"""Headings that tell whether a class has any ground truth: the number of boxes
of VOCMetric, and IoUMetric's accuracy on the pixels of the class."""

NONE = ('0', 'nan')
"""Their values if it has none."""

OVERALL = ('map', 'miou')
"""Rows that are not a class."""

_RULE = re.compile(r'\+[-+=]+\+\s*$')
_LIST = re.compile(r'/recall_classwise: \[([^\]]*)\]')


def class_values(lines: Sequence[str]) -> dict[str, float]:
    """Read a log's last table: class -> value, in its order; {} without one.

    A list has no names: its classes are ``class 0``, ``class 1`` and so on.
    A class without any ground truth has NaN, if a table tells.

    Args:
        lines (sequence of str): Lines of the log.
    """
    found: dict[str, float] = {}
    column: int | None = None
    truths: int | None = None
    for line in lines:
        cells = [cell.strip() for cell in line.strip().strip('|').split('|')]
        if line.startswith('|') and cells[0].lower() == 'class':
            column, truths = _column(cells, COLUMNS), _column(cells, TRUTHS)
            found = {} if column is not None else found
        elif line.startswith('|') and column is not None:
            found |= _value(cells, column, truths)
        elif listed := _LIST.search(line):
            found, column = _numbered(listed[1]), None
        # A rule may stand within a table; anything else ends it.
        elif not _RULE.match(line):
            column = None
    return found


def _column(headings: Sequence[str], wanted: Sequence[str]) -> int | None:
    names = [heading.lower() for heading in headings]
    return next((names.index(name) for name in wanted if name in names), None)


def _numbered(listed: str) -> dict[str, float]:
    try:
        values = [float(value) for value in listed.split(',')]
    except ValueError:
        return {}
    return {f'class {number}': value for number, value in enumerate(values)}


def _value(
    cells: Sequence[str], column: int, truths: int | None
) -> dict[str, float]:
    if cells[0].lower() in OVERALL or len(cells) <= max(column, truths or 0):
        return {}
    # Its AP or IoU may be 0, though it is not part of the mean.
    if truths is not None and cells[truths].lower() in NONE:
        return {cells[0]: math.nan}
    try:
        return {cells[0]: float(cells[column])}
    except ValueError:
        return {}


def named_classes(
    config: dict[str, Any], printed: dict[str, float]
) -> dict[str, float]:
    """Values by the dataset's own class names, if it has any.

    Not of classes that the validation set lacks. mmdet's VOCMetric prints
    VOC's names, whatever the classes are.
    """
    dataset = (config.get('val_dataloader') or {}).get('dataset') or {}
    names = (dataset.get('metainfo') or {}).get('classes') or printed
    if len(names) != len(printed):
        names = printed
    values = zip(names, printed.values(), strict=True)
    return {
        printable(str(name)): value
        for name, value in values
        if math.isfinite(value)
    }
