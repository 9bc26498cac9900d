"""The records of a run, checked so that reports can rely on them."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ies_mm.errors import ConfigError
from ies_mm.report.earlier import EPOCHS, fault_of_line
from ies_mm.report.reading.progress import Progress
from ies_mm.report.records import read_epochs
from ies_mm.report.values import is_count, is_number

COUNTS = ('epoch', 'excluded', 'mastered', 'trained', 'instances')
SUMS = (
    'forward_only', 'train_seconds', 'refresh_seconds', 'decide_seconds',
)  # fmt: skip

FURTHER_SECONDS = ('start_seconds', 'collect_seconds', 'record_seconds')
"""Missing from the records of earlier versions."""


def checked_records(work_dir: Path) -> list[dict[str, Any]]:
    """Read the lines of ``ies/epochs.jsonl``, oldest first.

    Raises:
        ConfigError: A line is damaged, or from another version.
    """
    path = work_dir / 'ies' / EPOCHS
    records = read_epochs(work_dir)
    last = 0
    for number, record in enumerate(records, 1):
        missing = {'method', 'saved', *COUNTS, *SUMS} - record.keys()
        if missing:
            raise ConfigError(
                f'{path} is from another version: line {number} has no '
                f'{min(missing)}; leave the run out'
            )
        images = records[0]['instances']
        fault = fault_of_line(record, images, last) or _fault_of(record)
        if fault:
            raise ConfigError(
                f'{path} is damaged: line {number} {fault}; fix it, or leave '
                'the run out'
            )
        last = record['epoch']
    return records


def unrecorded(records: Sequence[dict[str, Any]], progress: Progress) -> range:
    """The last completed epochs without a record.

    Empty in an iteration-based loop, whose passes are not counted elsewhere.
    """
    done = progress.done if progress.unit == 'epoch' else 0
    recorded = records[-1]['epoch'] if records else 0
    return range(recorded + 1, done + 1)


def _fault_of(record: dict[str, Any]) -> str | None:
    """What is wrong with the values of a line; None if nothing."""
    for key in COUNTS:
        if not is_count(record[key]):
            return f'has {key}={record[key]!r:.40}, which is not a count'
    for key in ('saved', 'pixels', *SUMS, *FURTHER_SECONDS):
        value = record.get(key, 0)
        if not is_number(value) or not math.isfinite(value):
            return f'has {key}={value!r:.40}, which is not a number'
    for key in ('saved', 'pixels'):
        if not 0 <= record.get(key, 0) <= 1:
            return f'has {key}={record[key]}, which is not between 0 and 1'
    return None
