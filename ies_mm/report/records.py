"""The files of a run: ``ies/epochs.jsonl`` and ``ies/instances.npz``."""

import json
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ies_mm.report.files import json_lines

EPOCHS = 'epochs.jsonl'
INSTANCES = 'instances.npz'


class RunRecords:
    """Writes what happened, epoch by epoch; nothing is ever half-written.

    Args:
        folder (Path): ``<work_dir>/ies``; made with the first epoch.
        identity (sequence of str): Image path of every instance, N.
        keep (int, optional): Epochs of per-instance values kept, the newest
            ones. Defaults to None, all.
    """

    def __init__(
        self, folder: Path, identity: Sequence[str], keep: int | None = None
    ) -> None:
        self.folder = folder
        self._identity = np.asarray(identity)
        self._keep = keep
        self._epochs: list[int] = []
        self._losses: list[Tensor] = []
        self._trained: list[Tensor] = []
        self._unwritten: list[str] = []

    def open(self, after: int = 0) -> None:
        """Start a run, or go on with it after some epoch.

        Args:
            after (int): The last epoch that the run has behind it. Records of
                later ones are forgotten. With 0 the files of an earlier run
                in the same folder are put aside. Defaults to 0.
        """
        path = self.folder / EPOCHS
        if not path.exists():
            return
        if after == 0:
            self._put_aside(path.stat().st_mtime)
            return
        lines = path.read_text().splitlines(keepends=True)
        kept = [line for line in lines if _epoch_of(line) <= after]
        _replace(path, ''.join(kept).encode())
        if (self.folder / INSTANCES).exists():
            self._load_instances(after)

    def add(
        self,
        record: dict[str, Any],
        names: list[str],
        ids: Tensor,
        losses: Tensor,
        trained: Tensor,
    ) -> None:
        """Append an epoch.

        Where it cannot be written, the files stay as they were, and its line
        of ``epochs.jsonl`` is written with that of the next epoch.

        Args:
            record (dict): The line of ``epochs.jsonl``.
            names (list of str): Names of the T terms.
            ids (Tensor): int64 (M,), instances observed.
            losses (Tensor): float32 (M, T).
            trained (Tensor): bool (N,).

        Raises:
            OSError: The disk is full, or the folder is not to be written to.
        """
        started = time.perf_counter()
        table = torch.full((len(self._identity), len(names)), torch.nan)
        table[ids] = losses
        self._losses = [_widened(t, len(names)) for t in self._losses]
        self._epochs.append(record['epoch'])
        self._losses.append(table)
        self._trained.append(trained.clone())
        if self._keep is not None:
            for rows in (self._epochs, self._losses, self._trained):
                del rows[: -self._keep]
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._save_instances(names)
        finally:
            seconds = {'record_seconds': time.perf_counter() - started}
            self._unwritten.append(json.dumps(record | seconds) + '\n')
        _append(self.folder / EPOCHS, ''.join(self._unwritten))
        self._unwritten.clear()

    def _put_aside(self, modified: float) -> None:
        stamp = time.strftime('%Y%m%d_%H%M%S', time.localtime(modified))
        aside = self.folder.with_name(f'ies_{stamp}')
        number = 1
        while aside.exists():
            number += 1
            aside = self.folder.with_name(f'ies_{stamp}_{number}')
        self.folder.rename(aside)

    def _save_instances(self, names: list[str]) -> None:
        path = self.folder / INSTANCES
        scratch = path.with_suffix('.tmp')
        try:
            with scratch.open('wb') as file:
                np.savez(
                    file,
                    identity=self._identity,
                    terms=np.asarray(names),
                    epochs=np.asarray(self._epochs),
                    losses=torch.stack(self._losses).numpy(),
                    trained=torch.stack(self._trained).numpy(),
                )
        except OSError:
            scratch.unlink(missing_ok=True)
            raise
        scratch.replace(path)

    def _load_instances(self, epoch: int) -> None:
        with np.load(self.folder / INSTANCES) as kept:
            rows = kept['epochs'] <= epoch
            self._epochs = kept['epochs'][rows].tolist()
            self._losses = list(torch.from_numpy(kept['losses'][rows]))
            self._trained = list(torch.from_numpy(kept['trained'][rows]))


def read_epochs(work_dir: Path) -> list[dict[str, Any]]:
    """The records of a run, oldest first; empty for a plain run.

    Raises:
        ConfigError: A line but the last one is damaged.
    """
    return json_lines(Path(work_dir) / 'ies' / EPOCHS)


def _widened(table: torch.Tensor, terms: int) -> torch.Tensor:
    """With zeros for terms that joined later, where there was a loss."""
    missing = terms - table.shape[1]
    if not missing:
        return table
    zeros = torch.zeros_like(table[:, :1]).where(
        ~table[:, :1].isnan(), torch.nan
    )
    return torch.cat([table, zeros.expand(-1, missing)], dim=1)


def _epoch_of(line: str) -> float:
    try:
        return json.loads(line)['epoch']
    except ValueError:
        # A line cut off by a kill: its epoch has no checkpoint either.
        return float('inf')


def _append(path: Path, text: str) -> None:
    """Append all of the text, or leave the file as it is.

    Raises:
        OSError: It cannot be written.
    """
    before = path.stat().st_size if path.exists() else 0
    try:
        with path.open('a') as file:
            file.write(text)
    except OSError:
        with suppress(OSError):
            os.truncate(path, before)
        raise


def _replace(path: Path, content: bytes) -> None:
    scratch = path.with_suffix('.tmp')
    scratch.write_bytes(content)
    scratch.replace(path)
