"""What an earlier start of a run recorded: gone on with, or put aside."""

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

import torch

from ies_mm.errors import ConfigError
from ies_mm.report.instances import INSTANCES, EpochTable, Tables, read_tables
from ies_mm.report.values import is_count

EPOCHS = 'epochs.jsonl'


@dataclass(frozen=True)
class Earlier:
    """Records up to some epoch.

    Attributes:
        lines (list of str): Of ``epochs.jsonl``, each with its end.
        tables (list of EpochTable): Of ``instances.npz``.
    """

    lines: list[str]
    tables: list[EpochTable]


def read_earlier(folder: Path, identity: Sequence[str], after: int) -> Earlier:
    """The records of a folder up to ``after``; empty where it has none.

    Args:
        folder (Path): ``<work_dir>/ies``.
        identity (sequence of str): Image path of every instance, N.
        after (int): The last epoch that is wanted.

    Raises:
        ConfigError: They cannot be read, or are of another data set.
    """
    lines: list[str] = []
    tables: list[EpochTable] = []
    if (folder / EPOCHS).exists():
        lines = list(_lines(folder / EPOCHS, len(identity), after))
    if (folder / INSTANCES).exists():
        found = read_tables(folder / INSTANCES)
        _check_images(folder / INSTANCES, found.identity, identity)
        tables = list(_tables(found, after))
    return Earlier(lines, tables)


def put_aside(folder: Path) -> Path:
    """Rename a folder to ``ies_<time>``, the time of its newest line.

    Args:
        folder (Path): ``<work_dir>/ies``.

    Raises:
        OSError: It cannot be renamed.
    """
    lines = folder / EPOCHS
    modified = (lines if lines.exists() else folder).stat().st_mtime
    stamp = time.strftime('%Y%m%d_%H%M%S', time.localtime(modified))
    aside = folder.with_name(f'ies_{stamp}')
    number = 1
    while aside.exists():
        number += 1
        aside = folder.with_name(f'ies_{stamp}_{number}')
    return folder.rename(aside)


def _lines(path: Path, instances: int, after: int) -> Iterator[str]:
    """The lines up to ``after``."""
    last = 0
    texts = _text_of(path).splitlines(keepends=True)
    for number, text in enumerate(texts, 1):
        record = _record(text)
        if record is None and number == len(texts):
            return  # Cut off by a kill; its epoch has no checkpoint either.
        fault = fault_of_line(record, instances, last)
        if fault is not None:
            raise ConfigError(f'{path}: line {number} {fault}')
        last = record['epoch']
        if last <= after:
            yield text.rstrip('\r\n') + '\n'


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding='utf-8')
    except (OSError, ValueError) as error:
        raise ConfigError(f'{path} cannot be read: {error}') from error


def _record(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def fault_of_line(record: Any, instances: int, last: int) -> str | None:
    """What is wrong with a line of ``epochs.jsonl``; None where nothing is.

    Args:
        record (Any): What the line holds.
        instances (int): Number of instances N of the run.
        last (int): The epoch of the line before; 0 for none.
    """
    if not isinstance(record, dict):
        return 'is no JSON object'
    epoch = record.get('epoch')
    if not is_count(epoch):
        return f'has epoch={epoch!r:.40}, which is no number of an epoch'
    if epoch <= last:
        return f'is of epoch {epoch}, after one of epoch {last}'
    images = record.get('instances', instances)
    if images != instances:
        return f'is of a data set of {images!r:.40} images, not {instances!r}'
    return None


def _check_images(
    path: Path, found: Sequence[str], here: Sequence[str]
) -> None:
    """The same images in the same order; the whole may have been moved."""
    pairs = zip(_below_root(found), _below_root(here), strict=False)
    if len(found) != len(here):
        raise ConfigError(
            f'{path} is of a data set of {len(found)} images, here {len(here)}'
        )
    for number, (one, other) in enumerate(pairs):
        if one != other:
            raise ConfigError(
                f'{path} is of another data set: image {number} is '
                f'{found[number]}, here {here[number]}'
            )


def _below_root(paths: Sequence[str]) -> list[str]:
    """Paths below the folder that all of them share."""
    # What the first and the last share, all between them do.
    pairs = zip(min(paths, default=''), max(paths, default=''), strict=False)
    shared = takewhile(lambda pair: pair[0] == pair[1], pairs)
    root = ''.join(letter for letter, _ in shared).rpartition('/')[0]
    return [path[len(root) :] for path in paths]


def _tables(found: Tables, after: int) -> Iterator[EpochTable]:
    correct = found.correct
    for k, epoch in enumerate(found.epochs.tolist()):
        if epoch <= after:
            yield EpochTable(
                epoch,
                found.terms,
                torch.from_numpy(found.losses[k]).float(),
                torch.from_numpy(found.trained[k]),
                None if correct is None else torch.from_numpy(correct[k]),
            )
