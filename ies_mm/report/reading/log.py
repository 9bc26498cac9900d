"""What the text log of a run tells and nothing else does: time, and the end.

Times in it are whole seconds.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from ies_mm.report.reading.class_table import class_values

STAMP = re.compile(r'(\d{4}/\d\d/\d\d \d\d:\d\d:\d\d) - ')
FORMAT = '%Y/%m/%d %H:%M:%S'
VALIDATION = re.compile(r'(Epoch|Iter)\(val\)')
# Whatever may be said last before a validation begins. What the metrics say
# while they are computed is not among it.
TRAINING = re.compile(
    r'(Epoch|Iter)\(train\)|Exp name: |Saving checkpoint at '
    r'| epoch \d+: trained '
)
ANNOUNCED = re.compile(r'Iter\(train\)\s*\[\s*\d+/\s*(\d{1,15})\]')
CHECKPOINT = re.compile(r'Saving checkpoint at (\d{1,15}) epochs')
# The three reasons of MMEngine's EarlyStoppingHook; the last two are of runs
# of 0.1.0, which had no end.json.
STOPPED = re.compile(
    r'Stopping threshold reached:'
    r'|the monitored metric did not improve in the last'
    r'|Monitored metric .* is infinite'
    r'|stops the training after \d+ epochs'
    r'|the training ended within epoch \d+'
)


@dataclass
class Log:
    """What a log says.

    Attributes:
        seconds (float, optional): First to last line; None without any.
        validation_seconds (float): From the last line of training to the
            validation's own one, over all validations.
        validated_at (list of float): Seconds from the first line to the
            begin of each validation, earlier validations not counted.
        announced (int, optional): Iterations that the last training line says
            the run will have.
        stopped (bool): Whether the run was ended early on purpose.
        saved_epoch (int): The last epoch after which a checkpoint was saved.
        classes (dict): See :func:`class_values`.
    """

    seconds: float | None = None
    validation_seconds: float = 0.0
    validated_at: list[float] = field(default_factory=list)
    announced: int | None = None
    stopped: bool = False
    saved_epoch: int = 0
    classes: dict[str, float] = field(default_factory=dict)


def read_log(path: Path) -> Log:
    """Read a log; one that is missing or was switched off says nothing."""
    log = Log()
    if not path.exists():
        return log
    with path.open(errors='replace') as file:
        lines = file.readlines()
    log.classes = class_values(lines)
    timed = [(_time_of(line), line) for line in lines]
    stamped = [(time, line) for time, line in timed if time is not None]
    if stamped:
        log.seconds = (stamped[-1][0] - stamped[0][0]).total_seconds()
        _note_validations(log, stamped)
    for _, line in stamped:
        _note(log, line)
    return log


def _time_of(line: str) -> datetime | None:
    """None for a line without a time, or with one that is no date."""
    stamp = STAMP.match(line)
    try:
        return datetime.strptime(stamp[1], FORMAT) if stamp else None
    except ValueError:
        return None


def _note(log: Log, line: str) -> None:
    if found := ANNOUNCED.search(line):
        log.announced = int(found[1])
    elif found := CHECKPOINT.search(line):
        log.saved_epoch = int(found[1])
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
            # The validation goes on until its last line is reached.
            log.validation_seconds += (time - begin).total_seconds()
            begin, is_new = time, False
