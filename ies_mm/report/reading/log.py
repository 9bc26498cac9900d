"""What only the text log of a run records: wall time, and how it ended.

Its times are in whole seconds.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from pathlib import Path

from ies_mm.report.reading.class_table import class_values

STAMP = re.compile(r'(\d{4}/\d\d/\d\d \d\d:\d\d:\d\d) - ')
FORMAT = '%Y/%m/%d %H:%M:%S'
VALIDATION = re.compile(r'(Epoch|Iter)\(val\)')
# Lines that may come last before a validation begins, as opposed to what
# metrics log while they are computed.
TRAINING = re.compile(
    r'(Epoch|Iter)\(train\)|Exp name: |Saving checkpoint at '
    r'| epoch \d+: trained '
)
ANNOUNCED = re.compile(r'Iter\(train\)\s*\[\s*\d+/\s*(\d{1,15})\]')
SAVED_EPOCH = re.compile(r'Saving checkpoint at (\d{1,15}) epochs')
SAVED_ITERATION = re.compile(r'Saving checkpoint at (\d{1,15}) iterations')
# The three reasons of MMEngine's EarlyStoppingHook; the last two are from runs
# of 0.1.0, which wrote no end.json.
STOPPED = re.compile(
    r'Stopping threshold reached:'
    r'|the monitored metric did not improve in the last'
    r'|Monitored metric .* is infinite'
    r'|stops the training after \d+ epochs'
    r'|the training ended within epoch \d+'
)


@dataclass
class Log:
    """Content of a log.

    Attributes:
        seconds (float, optional): Time from the first to the last line; None
            without any, or if the clock was set back.
        validation_seconds (float): Time from the last training line to the
            validation's last line, over all validations.
        validated_at (list of float): Seconds from the first line to the start
            of each validation, not counting earlier validations.
        announced (int, optional): Total iterations according to the last
            training line.
        stopped (bool): Whether the run was ended early on purpose.
        saved_epoch (int): The last epoch after which a checkpoint was saved.
        saved_iteration (int): As ``saved_epoch``, in iterations.
        classes (dict): See :func:`class_values`.
        set_back (bool): Whether the clock was set back in between.
    """

    seconds: float | None = None
    validation_seconds: float = 0.0
    validated_at: list[float] = field(default_factory=list)
    announced: int | None = None
    stopped: bool = False
    saved_epoch: int = 0
    saved_iteration: int = 0
    classes: dict[str, float] = field(default_factory=dict)
    set_back: bool = False


def read_log(path: Path) -> Log:
    """Read a log; a missing or disabled one gives an empty :class:`Log`."""
    log = Log()
    if not path.exists():
        return log
    with path.open(errors='replace') as file:
        lines = file.readlines()
    # Of all lines, since those of a table have no time.
    log.classes = class_values(lines)
    timed = [(_time_of(line), line) for line in lines]
    stamped = [(time, line) for time, line in timed if time is not None]
    log.set_back = _is_set_back([time for time, _ in stamped])
    if stamped and not log.set_back:
        log.seconds = (stamped[-1][0] - stamped[0][0]).total_seconds()
        _note_validations(log, stamped)
    for _, line in stamped:
        _note(log, line)
    return log


def _is_set_back(times: Sequence[datetime]) -> bool:
    """Whether a line is older than the one before it.

    Times are in whole seconds, so adjusting a clock a little may show as one.
    """
    return any(
        (later - earlier).total_seconds() < -1
        for earlier, later in pairwise(times)
    )


def _time_of(line: str) -> datetime | None:
    """The time of a line; None without a valid one."""
    stamp = STAMP.match(line)
    try:
        return datetime.strptime(stamp[1], FORMAT) if stamp else None
    except ValueError:
        return None


def _note(log: Log, line: str) -> None:
    if found := ANNOUNCED.search(line):
        log.announced = int(found[1])
    elif found := SAVED_EPOCH.search(line):
        log.saved_epoch = int(found[1])
    elif found := SAVED_ITERATION.search(line):
        log.saved_iteration = int(found[1])
    elif STOPPED.search(line):
        log.stopped = True


def _note_validations(
    log: Log, stamped: Sequence[tuple[datetime, str]]
) -> None:
    first, begin = stamped[0][0], None
    for time, line in stamped:
        if TRAINING.search(line):
            begin, is_new = time, True
        elif VALIDATION.search(line) and begin is not None:
            if is_new:
                trained = (begin - first).total_seconds()
                log.validated_at.append(trained - log.validation_seconds)
            # The validation lasts until its last line.
            log.validation_seconds += (time - begin).total_seconds()
            begin, is_new = time, False
