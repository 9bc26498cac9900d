"""Records of an earlier start of a run: continued, or moved aside."""

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
        lines (list of str): Lines of ``epochs.jsonl``, with their newlines.
        tables (list of EpochTable): Tables of ``instances.npz``.
    """

    lines: list[str]
    tables: list[EpochTable]


def read_earlier(folder: Path, identity: Sequence[str], after: int) -> Earlier:
    """Read the records of a folder up to epoch ``after``, if it has any.

    Args:
        folder (Path): ``<work_dir>/ies``.
        identity (sequence of str): Image path of every instance, N.
        after (int): The last epoch to read.

    Raises:
        ConfigError: They cannot be read, or belong to another dataset.
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
        OSError: The folder cannot be renamed.
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
    """Yield the lines up to epoch ``after``."""
    last = 0
    texts = _text_of(path).splitlines(keepends=True)
    for number, text in enumerate(texts, 1):
        record = _record(text)
        if record is None and number == len(texts):
            return  # Cut off when killed; its epoch has no checkpoint either.
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
    """What is wrong with a line of ``epochs.jsonl``; None if nothing.

    Args:
        record (Any): Content of the line.
        instances (int): Number of instances N of the run.
        last (int): Epoch of the previous line; 0 for none.
    """
    if not isinstance(record, dict):
        return 'is not a JSON object'
    epoch = record.get('epoch')
    if not is_count(epoch):
        return f'has epoch={epoch!r:.40}, which is not an epoch number'
    if epoch <= last:
        return f'is of epoch {epoch}, after one of epoch {last}'
    images = record.get('instances', instances)
    if images != instances:
        return f'is of a dataset of {images!r:.40} images, not {instances!r}'
    return None


def _check_images(
    path: Path, found: Sequence[str], here: Sequence[str]
) -> None:
    """Require the same images in the same order; the root may differ."""
    pairs = zip(_below_root(found), _below_root(here), strict=False)
    if len(found) != len(here):
        raise ConfigError(
            f'{path} is of a dataset of {len(found)} images, here {len(here)}'
        )
    for number, (one, other) in enumerate(pairs):
        if one != other:
            raise ConfigError(
                f'{path} is of another dataset: image {number} is '
                f'{found[number]}, here {here[number]}'
            )


def _below_root(paths: Sequence[str]) -> list[str]:
    """Paths relative to their common parent folder."""
    # A prefix of the first and the last is a prefix of all in between.
    pairs = zip(min(paths, default=''), max(paths, default=''), strict=False)
    shared = takewhile(lambda pair: pair[0] == pair[1], pairs)
    root = ''.join(letter for letter, _ in shared).rpartition('/')[0]
    return [path[len(root) :] for path in paths]


def _tables(found: Tables, after: int) -> Iterator[EpochTable]:
    correct, excluded = found.correct, found.excluded
    for k, epoch in enumerate(found.epochs.tolist()):
        if epoch <= after:
            yield EpochTable(
                epoch,
                found.terms,
                torch.from_numpy(found.losses[k]).float(),
                torch.from_numpy(found.trained[k]),
                None if correct is None else torch.from_numpy(correct[k]),
                None if excluded is None else torch.from_numpy(excluded[k]),
            )
