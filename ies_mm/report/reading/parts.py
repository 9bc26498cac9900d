"""The parts of a run: one folder of the work directory for each start.

MMEngine creates a folder named by the time whenever a runner is built, also
for a test and for a resumed run.
"""

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ies_mm.errors import ConfigError
from ies_mm.report.files import json_lines
from ies_mm.report.reading.dumped_config import read_config
from ies_mm.report.reading.log import Log, read_log
from ies_mm.report.values import is_count, is_number

FOLDER = re.compile(r'\d{8}_\d{6}')
LOGGER_INTERVAL = 10
"""MMEngine's default."""


@dataclass(frozen=True)
class Part:
    """A start of a run.

    Attributes:
        folder (Path): Its folder.
        config (dict): The config that MMEngine dumped.
        lines (list of dict): The lines of ``scalars.json``.
        log (Log): Content of the text log.
    """

    folder: Path
    config: dict[str, Any]
    lines: list[dict[str, Any]]
    log: Log

    @property
    def training_lines(self) -> list[dict[str, Any]]:
        """Training lines, the only ones that MMEngine writes ``iter`` into."""
        return [line for line in self.lines if 'iter' in line]

    @property
    def resumed(self) -> bool:
        """Whether the config asks to resume from a checkpoint."""
        return bool(self.config.get('resume'))

    @property
    def first_iteration(self) -> int:
        """The first logged iteration; 0 without any."""
        lines = self.training_lines
        return int(lines[0]['iter']) if lines else 0

    @property
    def logger_interval(self) -> int:
        """Iterations between two training lines."""
        logger = (self.config.get('default_hooks') or {}).get('logger') or {}
        return int(logger.get('interval') or LOGGER_INTERVAL)

    @property
    def begins_late(self) -> bool:
        """Whether it actually resumed from a checkpoint."""
        lines = self.training_lines
        # A start from scratch logs after at most one interval, or at the end
        # of its first epoch.
        late = self.first_iteration > self.logger_interval
        later_epoch = bool(lines) and lines[0].get('epoch', 1) > 1
        return self.resumed and (late or later_epoch)


def read_parts(work_dir: Path) -> list[Part]:
    """Read the parts of a work directory's newest run, oldest first.

    Raises:
        ConfigError: It contains no run, or a file is damaged.
    """
    folders = start_folders(work_dir)
    if not folders:
        raise ConfigError(_no_run(work_dir))
    parts: list[Part] = []
    # Lazily, so that a damaged folder of an earlier run is not even read.
    for part in map(_read_part, reversed(folders)):
        # A test, or a start that crashed before training.
        if not part.training_lines:
            continue
        if parts and _started_over(parts[0], part):
            break
        parts.insert(0, part)
        if not part.resumed:
            break
    # Nothing was trained yet; the newest start says what is planned.
    return parts or [_read_part(folders[-1])]


def _started_over(part: Part, before: Part) -> bool:
    """Whether a start that asked to resume found no checkpoint.

    Two starts may resume from the same one, if the first was killed before
    it saved another.
    """
    no_later = part.first_iteration <= before.first_iteration
    return no_later and not part.begins_late


def start_folders(work_dir: Path) -> list[Path]:
    """MMEngine's folders in a work directory, oldest first."""
    # glob would silently skip an unreadable folder.
    return [
        folder
        for folder in sorted(work_dir.iterdir())
        if FOLDER.fullmatch(folder.name) and (folder / 'vis_data').is_dir()
    ]


def _read_part(folder: Path) -> Part:
    return Part(
        folder,
        read_config(folder / 'vis_data' / 'config.py'),
        _scalars(folder / 'vis_data' / 'scalars.json'),
        read_log(folder / f'{folder.name}.log'),
    )


def _scalars(path: Path) -> list[dict[str, Any]]:
    """Read the lines of ``scalars.json``.

    Raises:
        ConfigError: A line is damaged.
    """
    lines = json_lines(path)
    for number, line in enumerate(lines, 1):
        key = _fault_of(line)
        if key is not None:
            raise ConfigError(
                f'{path} is damaged: line {number} has {key}='
                f'{line.get(key)!r:.40}, which is not a count; remove the '
                'line, or leave the run out'
            )
    return lines


def _fault_of(line: dict[str, Any]) -> str | None:
    """The key whose value MMEngine would not have written, or None."""
    if 'iter' not in line:  # A validation, or a custom scalar.
        step = line.get('step')
        good = is_number(step) and math.isfinite(step)
        return None if good else 'step'
    if not is_count(line['iter']):
        return 'iter'
    return None if is_count(line.get('epoch', 0)) else 'epoch'


def _no_run(work_dir: Path) -> str:
    inside = [
        folder.name
        for folder in sorted(work_dir.iterdir())
        if folder.is_dir() and start_folders(folder)
    ]
    if inside:
        return (
            f'{work_dir} is not a work directory itself, but contains '
            f'{len(inside)}, for example {inside[0]}; give {work_dir}/*'
        )
    return (
        f'{work_dir} contains no run: MMEngine creates a folder '
        '<time>/vis_data in a work directory, and there is none; '
        'give the work_dir of a run'
    )
