"""``ies/instances.npz``: the records of every image."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ies_mm.errors import ConfigError
from ies_mm.report.files import written_whole

INSTANCES = 'instances.npz'
IDENTITY = 'identity.npy'
"""Holds the image paths while a run is training."""


@dataclass(frozen=True)
class Tables:
    """The arrays of the file.

    Attributes:
        identity (list of str): Image path of every instance, N.
        terms (list of str): Names of the T terms.
        epochs (ndarray): int64 (E,), the epochs kept, ascending.
        losses (ndarray): float32 (E, N, T), NaN where not observed.
        trained (ndarray): bool (E, N).
        correct (ndarray, optional): float32 (E, N), whether a classifier got
            an image right: 0 to 1 if it saw it several times, NaN if unknown.
            None if this was not recorded.
        excluded (ndarray, optional): bool (E, N), what the method pruned;
            the images of a dropped last batch are neither trained nor pruned.
            None in files of versions before 0.3.0.
    """

    identity: list[str]
    terms: list[str]
    epochs: NDArray[np.int64]
    losses: NDArray[np.float32]
    trained: NDArray[np.bool_]
    correct: NDArray[np.float32] | None = None
    excluded: NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class EpochTable:
    """One epoch of :class:`Tables`.

    Attributes:
        epoch (int): Epoch, counted from 1.
        terms (list of str): Names of its T terms.
        losses (Tensor): float32 (N, T), NaN where not observed.
        trained (Tensor): bool (N,).
        correct (Tensor, optional): float32 (N,), see :class:`Tables`.
        excluded (Tensor, optional): bool (N,), see :class:`Tables`.
    """

    epoch: int
    terms: list[str]
    losses: Tensor
    trained: Tensor
    correct: Tensor | None = None
    excluded: Tensor | None = None

    def known_correct(self) -> Tensor:
        """``correct``, or NaN throughout if it was not recorded."""
        if self.correct is None:
            return torch.full((len(self.trained),), torch.nan)
        return self.correct

    def has_other_than(self, names: Sequence[str]) -> bool:
        """Whether it has a loss of a term that is not among ``names``.

        A term that first appeared after this epoch is zero in it.
        """
        others = [k for k, t in enumerate(self.terms) if t not in names]
        return bool((self.losses[:, others].nan_to_num() != 0).any())

    def under(self, names: list[str]) -> 'EpochTable':
        """The same table with one column for each of ``names``.

        Terms that first appeared later are zero where there was a loss.
        """
        if self.terms == names:
            return self
        seen = ~self.losses.isnan().all(dim=1)
        absent = torch.zeros(len(seen)).where(seen, torch.nan)
        columns = [
            self.losses[:, self.terms.index(name)]
            if name in self.terms
            else absent
            for name in names
        ]
        losses = torch.stack(columns, dim=1)
        return replace(self, terms=names, losses=losses)


def read_tables(path: Path) -> Tables:
    """Read ``instances.npz``.

    Raises:
        ConfigError: It cannot be read, or has unexpected content.
    """
    try:
        with np.load(path) as arrays:
            tables = Tables(
                identity=_identity(path, arrays),
                terms=[str(name) for name in arrays['terms']],
                epochs=arrays['epochs'],
                losses=arrays['losses'],
                trained=arrays['trained'],
                correct=arrays.get('correct'),
                excluded=arrays.get('excluded'),
            )
        fault = _fault_of(tables)
    except Exception as error:  # zipfile and NumPy raise almost anything
        fault = ' '.join(str(error).split()) or type(error).__name__
    if fault is not None:
        raise ConfigError(f'{path} cannot be read: {fault}')
    return tables


def excluded_in(
    tables: Tables, records: Sequence[dict[str, Any]]
) -> NDArray[np.bool_]:
    """What each epoch pruned, bool (E, N).

    Args:
        tables (Tables): Per-image records of a run.
        records (sequence of dict): Records of its epochs.
    """
    if tables.excluded is not None:
        return tables.excluded
    # A file of an earlier version: at least not the images of a dropped last
    # batch in epochs that pruned nothing.
    pruned = [r['epoch'] for r in records if r.get('excluded')]
    some = np.isin(tables.epochs, pruned)
    return np.asarray(~tables.trained & some[:, None])


def write_tables(
    path: Path, tables: Sequence[EpochTable], **further: Any
) -> None:
    """Write ``instances.npz``, or leave it as it is.

    Args:
        path (Path): Path of the file.
        tables (sequence of EpochTable): One or more, with the same terms.
        **further: Arrays to add to those of the tables.

    Raises:
        OSError: The file cannot be written.
    """
    if any(table.correct is not None for table in tables):
        rows = [table.known_correct() for table in tables]
        further['correct'] = torch.stack(rows).numpy()
    pruned = [t.excluded for t in tables if t.excluded is not None]
    if len(pruned) == len(tables):
        further['excluded'] = torch.stack(pruned).numpy()
    with written_whole(path) as file:
        np.savez(
            file,
            terms=np.asarray(tables[-1].terms),
            epochs=np.asarray([table.epoch for table in tables]),
            losses=torch.stack([t.losses for t in tables]).numpy(),
            trained=torch.stack([t.trained for t in tables]).numpy(),
            **further,
        )


def _identity(path: Path, arrays: Any) -> list[str]:
    if 'identity' in arrays:
        return [str(name) for name in arrays['identity']]
    # The training is still running, or was killed.
    return [str(name) for name in np.load(path.with_name(IDENTITY))]


def _fault_of(tables: Tables) -> str | None:
    shape = (len(tables.epochs), len(tables.identity), len(tables.terms))
    for name, kinds, wanted in (
        ('epochs', 'iu', shape[:1]),
        ('losses', 'f', shape),
        ('trained', 'b', shape[:2]),
        ('correct', 'f', shape[:2]),
        ('excluded', 'b', shape[:2]),
    ):
        array = getattr(tables, name)
        if name in ('correct', 'excluded') and array is None:
            continue
        if array.dtype.kind not in kinds or array.shape != wanted:
            return (
                f'{name} is {array.dtype} {array.shape}, which does not fit '
                f'{shape[0]} epochs, {shape[1]} images and {shape[2]} terms'
            )
    if not len(tables.epochs):
        return 'it has no epochs'
    if (np.diff(tables.epochs) <= 0).any() or (tables.epochs < 1).any():
        return 'its epochs are not in order'
    return None
