"""Training dynamics of a run, in ``<work_dir>/ies/dynamics.jsonl``."""

import json
import time
from pathlib import Path
from typing import Any

from ies_mm.errors import ConfigError
from ies_mm.report.files import append, json_lines, replace
from ies_mm.report.values import is_count

DYNAMICS = 'dynamics.jsonl'


class DynamicsFile:
    """Writes one line per epoch; continues the file of a resumed run.

    Args:
        work_dir (Path): Work directory of the run.
    """

    def __init__(self, work_dir: Path) -> None:
        self._path = Path(work_dir) / 'ies' / DYNAMICS

    def open(self, after: int | None) -> None:
        """Start the file, or continue it after some epoch.

        The file of another run, or a damaged one, is renamed.

        Args:
            after (int, optional): The last epoch that the run has completed;
                later lines are dropped. None for a new run.

        Raises:
            OSError: The file cannot be written.
        """
        if not self._path.exists():
            return
        try:
            records = [] if after is None else read_lines(self._path)
        except ConfigError:
            records = []
        kept = [one for one in records if one['epoch'] <= (after or 0)]
        if not kept:
            stamp = time.strftime('%Y%m%d_%H%M%S')
            self._path.rename(self._path.with_name(f'dynamics_{stamp}.jsonl'))
            return
        replace(self._path, ''.join(map(_line, kept)).encode())

    def add(self, record: dict[str, Any]) -> None:
        """Append a line.

        Raises:
            OSError: The file cannot be written.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True)
        append(self._path, _line(record))


def read_dynamics(work_dir: Path) -> list[dict[str, Any]]:
    """Read the lines of a run, oldest first; empty without the file.

    Raises:
        ConfigError: A line other than the last is damaged.
    """
    return read_lines(Path(work_dir) / 'ies' / DYNAMICS)


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Like :func:`read_dynamics`, but for a given file.

    Raises:
        ConfigError: A line other than the last is damaged.
        ConfigError: A line has no epoch.
    """
    records = json_lines(path)
    for number, record in enumerate(records, start=1):
        if not is_count(record.get('epoch')):
            raise ConfigError(
                f'{path} is damaged: line {number} has no epoch; remove the '
                'line, or leave the run out'
            )
    return records


def _line(record: dict[str, Any]) -> str:
    return json.dumps(record) + '\n'
