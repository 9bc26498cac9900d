"""The files of a run: ``epochs.jsonl``, ``instances.npz`` and ``end.json``."""

import json
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ies_mm.errors import ConfigError
from ies_mm.report.earlier import EPOCHS, put_aside, read_earlier
from ies_mm.report.files import append, json_lines, replace, written_whole
from ies_mm.report.instances import (
    IDENTITY,
    INSTANCES,
    EpochTable,
    write_tables,
)

END = 'end.json'
"""Written when a training run ends, as planned or early."""


class RunRecords:
    """Writes the records of every epoch; no file is ever half-written.

    Args:
        folder (Path): ``<work_dir>/ies``; created with the first epoch.
        identity (sequence of str): Image path of every instance, N.
        keep (int, optional): Number of newest epochs to keep per-instance
            values of. Defaults to None, all.
        warn (callable): Called with warnings about earlier records. Defaults
            to ``warnings.warn``.
    """

    def __init__(
        self,
        folder: Path,
        identity: Sequence[str],
        keep: int | None = None,
        warn: Callable[[str], Any] = warnings.warn,
    ) -> None:
        self.folder = folder
        # An array of objects would be pickled, which np.load refuses by
        # default.
        self._identity = np.asarray([*identity], dtype=str)
        self._keep = keep
        self._warn = warn
        self._after: int | None = None
        self._tables: list[EpochTable] = []
        self._unwritten: list[str] = []
        self._has_identity = False

    def open(self, after: int = 0) -> None:
        """Start the records of a run, or continue them after some epoch.

        Records that cannot be read or belong to another dataset are moved
        aside with a warning. If this fails, the next epoch tries it again.

        Args:
            after (int): The last epoch that the run has completed. Records of
                later epochs are dropped. With 0, the files of an earlier run
                in the same folder are moved aside. Defaults to 0.

        Raises:
            OSError: The folder is not writable.
        """
        self._after = after
        self._open()

    def add(
        self,
        record: dict[str, Any],
        names: list[str],
        ids: Tensor,
        losses: Tensor,
        trained: Tensor,
        correct: Tensor | None = None,
        excluded: Tensor | None = None,
    ) -> None:
        """Append an epoch.

        If it cannot be written, the files stay as they were, and its line of
        ``epochs.jsonl`` is written together with that of the next epoch.

        Args:
            record (dict): The line of ``epochs.jsonl``.
            names (list of str): Names of the T terms.
            ids (Tensor): int64 (M,), instances observed.
            losses (Tensor): float32 (M, T).
            trained (Tensor): bool (N,).
            correct (Tensor, optional): float32 (N,), see :class:`Tables`.
                Defaults to None, unknown.
            excluded (Tensor, optional): bool (N,), see :class:`Tables`.
                Defaults to None, unknown.

        Raises:
            OSError: The disk is full, or the folder is not writable.
        """
        started = time.perf_counter()
        table = torch.full((len(self._identity), len(names)), torch.nan)
        table[ids] = losses
        self._tables.append(
            EpochTable(
                record['epoch'],
                [*names],
                table,
                trained.clone(),
                correct,
                excluded,
            )
        )
        try:
            self._begin()
            self._save_identity()
            self._save_instances()
        finally:
            # Even after a failure, or the tables would pile up in memory.
            self._drop_old()
            # A line cannot contain the time of its own writing.
            seconds = {'record_seconds': time.perf_counter() - started}
            self._unwritten.append(_json(record | seconds))
        self._write_lines()

    def end(self, event: dict[str, Any]) -> None:
        """Write ``end.json`` and complete ``instances.npz``.

        During the training, the image paths are in a separate file: for a
        large dataset they would be most of what each epoch writes.

        Args:
            event (dict): The object of ``end.json``.

        Raises:
            OSError: The disk is full, or the folder is not writable.
        """
        if self._tables:
            self._begin()
            self._save_instances(identity=self._identity)
            self._write_lines()
            (self.folder / IDENTITY).unlink(missing_ok=True)
        if self.folder.is_dir():
            replace(self.folder / END, json.dumps(event).encode())

    def _begin(self) -> None:
        """Prepare everything that writing needs."""
        self._open()
        self._agree_on_terms()
        self.folder.mkdir(parents=True, exist_ok=True)

    def _write_lines(self) -> None:
        """Write the new line, and earlier ones that could not be written."""
        append(self.folder / EPOCHS, ''.join(self._unwritten))
        self._unwritten.clear()

    def _open(self) -> None:
        """Open the records, unless they are open already."""
        if self._after is None:
            return
        if self._after:
            self._take_up(self._after)
        elif (self.folder / EPOCHS).exists():
            self._put_aside()
        # A run that continues has not ended.
        (self.folder / END).unlink(missing_ok=True)
        self._after = None

    def _take_up(self, after: int) -> None:
        try:
            images = self._identity.tolist()
            earlier = read_earlier(self.folder, images, after)
        except ConfigError as error:
            self._leave(str(error))
            return
        if (self.folder / EPOCHS).exists():
            replace(self.folder / EPOCHS, ''.join(earlier.lines).encode())
        # In front, since new epochs may have waited for the disk to be
        # writable.
        self._tables[:0] = earlier.tables

    def _agree_on_terms(self) -> None:
        """Move the records of another model aside; align the terms."""
        names = self._tables[-1].terms
        if any(table.has_other_than(names) for table in self._tables):
            theirs = ', '.join(self._tables[0].terms)
            self._leave(
                f'{self.folder / INSTANCES} has losses of {theirs}, and this '
                f'model has {", ".join(names)}'
            )
            self._tables = [
                t for t in self._tables if set(t.terms) <= set(names)
            ]
        self._tables = [table.under(names) for table in self._tables]

    def _leave(self, reason: str) -> None:
        """Move records aside that cannot be continued."""
        aside = self._put_aside()
        self._warn(
            f'{reason}; the records so far were moved to {aside}, and '
            f'{self.folder} starts over'
        )

    def _put_aside(self) -> Path:
        # identity.npy moves away with the folder.
        self._has_identity = False
        return put_aside(self.folder)

    def _drop_old(self) -> None:
        if self._keep is not None:
            del self._tables[: -self._keep]

    def _save_identity(self) -> None:
        """Write it once, since the images of a run do not change."""
        there = (self.folder / IDENTITY).exists()
        if not (self._has_identity and there):
            with written_whole(self.folder / IDENTITY) as file:
                np.save(file, self._identity)
        self._has_identity = True

    def _save_instances(self, **further: Any) -> None:
        self._drop_old()
        write_tables(self.folder / INSTANCES, self._tables, **further)


def _json(record: dict[str, Any]) -> str:
    # A method's limit may be a tensor or one of NumPy's numbers.
    return json.dumps(record, default=lambda value: value.tolist()) + '\n'


def read_epochs(work_dir: Path) -> list[dict[str, Any]]:
    """Read the records of a run, oldest first; empty for a plain run.

    Raises:
        ConfigError: A line other than the last is damaged.
    """
    return json_lines(Path(work_dir) / 'ies' / EPOCHS)
