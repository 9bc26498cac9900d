"""The per-image losses observed in one epoch."""

import torch
from mmengine.dist import all_gather_object
from torch import Tensor

Noted = tuple[Tensor, Tensor, Tensor]
"""ids, losses (samples, T), missing (samples, T), on the CPU."""


class Observations:
    """Collects losses batch by batch, without waiting for the device.

    A term may join late, as YOLOX's L1 loss does, and earlier in one process
    than in another. The run's names are set by its first batch and grow, in
    all processes alike, when an epoch is merged.

    Args:
        names (list of str): Names of the run's terms; if empty, the first
            batch fills it. Shared by all collections of a run.

    Attributes:
        present (set of str): Terms of this rank's batches; of all ranks'
            after :meth:`merge`.
        missed (set of int): Instances that others replaced on this rank; on
            all ranks after :meth:`merge`.
    """

    def __init__(self, names: list[str]) -> None:
        self.names = names
        self.present: set[str] = set()
        self.missed: set[int] = set()
        self._columns = list(names)
        self._ids: list[Tensor] = []
        self._losses: list[Tensor] = []
        self._missing: list[Tensor] = []
        self._seen: list[Tensor] = []

    def note_seen(self, ids: Tensor) -> None:
        """Record images that were trained but whose losses are not known.

        Args:
            ids (Tensor): int64 (B,), instances.
        """
        self._seen.append(ids.cpu())

    def add(
        self,
        ids: Tensor,
        losses: dict[str, Tensor],
        missing: dict[str, Tensor] | None = None,
    ) -> None:
        """Record a batch.

        Args:
            ids (Tensor): int64 (B,), instances.
            losses (dict): Term -> float32 (B,), on any device. A head omits a
                term if nothing in the batch has it.
            missing (dict, optional): Term -> bool (B,), True for images that
                cannot have this loss. Defaults to None, all have all.
        """
        if not self.names:
            self.names.extend(losses)
        self.present |= losses.keys()
        known = [*self._columns, *self.names]
        self._columns = list(dict.fromkeys([*known, *losses]))
        absent = torch.zeros_like(next(iter(losses.values())))
        everywhere = torch.zeros_like(absent, dtype=torch.bool)
        missing = missing or {}
        terms = self._columns
        self._ids.append(ids)
        self._losses.append(
            torch.stack([losses.get(t, absent) for t in terms], dim=1)
        )
        self._missing.append(
            torch.stack([missing.get(t, everywhere) for t in terms], 1)
        )

    def tensors(self) -> Noted:
        """This rank's observations, with the terms of :meth:`columns`."""
        terms = len(self.columns())
        if not self._ids:
            empty = torch.zeros(0, dtype=torch.long)
            none = torch.zeros(0, terms)
            return empty, none, none.bool()
        return (
            torch.cat(self._ids),
            _joined(self._losses, terms),
            _joined(self._missing, terms),
        )

    def seen(self) -> Tensor:
        """int64, the instances passed to :meth:`note_seen` on this rank."""
        return torch.cat([torch.zeros(0, dtype=torch.long), *self._seen])

    def columns(self) -> list[str]:
        """The terms of :meth:`tensors`, in order."""
        return list(dict.fromkeys([*self._columns, *self.names]))

    def add_tensors(
        self,
        ids: Tensor,
        losses: Tensor,
        missing: Tensor,
        columns: list[str] | None = None,
        present: list[str] | None = None,
    ) -> None:
        """Add what :meth:`tensors` returned, possibly with other terms.

        Args:
            ids (Tensor): From :meth:`tensors`.
            losses (Tensor): From :meth:`tensors`.
            missing (Tensor): From :meth:`tensors`.
            columns (list of str, optional): Their terms. Defaults to None,
                the run's.
            present (list of str, optional): The terms that any batch had.
                Defaults to None, all.
        """
        theirs = self.names if columns is None else columns
        had = theirs if present is None else present
        self.present |= set(had) if len(ids) else set()
        self._columns = list(dict.fromkeys([*self.columns(), *theirs]))
        self._ids.append(ids.cpu())
        for parts, values in (
            (self._losses, losses),
            (self._missing, missing),
        ):
            parts.append(ordered(values.cpu(), theirs, self._columns))

    def merge(self) -> tuple[Tensor, Tensor, Tensor]:
        """Merge the ranks' losses into one observation per instance.

        An instance seen several times in the epoch (a repeated dataset, a
        rank filled up) gets the mean of its losses. A term it does not have
        counts as zero; if it has none at all, it is seen but not observed.
        Terms that joined are added to the run's names.

        Returns:
            tuple: ids, int64 (M,), unique and ascending; losses, float32
            (M, T); the instances seen, int64; all on the CPU.
        """
        parts = all_gather_object(
            (
                self.names,
                self.columns(),
                self.present,
                self.tensors(),
                self.missed,
                self.seen(),
            )
        )
        every = [name for part in parts for name in (*part[0], *part[1])]
        self.names[:] = list(dict.fromkeys([*parts[0][0], *every]))
        self.present = set().union(*(part[2] for part in parts))
        self.missed = set().union(*(part[4] for part in parts))
        seen = torch.cat([part[3][0] for part in parts])
        losses, missing = (
            torch.cat([ordered(p[3][k], p[1], self.names) for p in parts])
            for k in (1, 2)
        )
        losses = losses.double()
        kept = ~missing.all(dim=1) if self.names else missing.new_zeros(0)
        losses = losses.masked_fill(missing, 0)[kept]
        unique, row, times = torch.unique(
            seen[kept], return_inverse=True, return_counts=True
        )
        total = torch.zeros(len(unique), len(self.names), dtype=torch.double)
        total.index_add_(0, row, losses)
        seen = torch.cat([seen, *(part[5] for part in parts)])
        return unique, (total / times[:, None]).float(), torch.unique(seen)


def ordered(values: Tensor, terms: list[str], wanted: list[str]) -> Tensor:
    """Rearrange columns to another list of terms; new columns are zero.

    Args:
        values (Tensor): (samples, terms).
        terms (list of str): Terms of its columns.
        wanted (list of str): Terms of the result, including all of ``terms``.
    """
    if terms == wanted:
        return values
    found = values.new_zeros(len(values), len(wanted))
    found[:, [wanted.index(term) for term in terms]] = values
    return found


def _joined(parts: list[Tensor], terms: int) -> Tensor:
    # Parts from a checkpoint are on the CPU; copy all others at once.
    device = parts[-1].device
    wide = [
        torch.nn.functional.pad(part, (0, terms - part.shape[1]))
        if part.shape[1] < terms
        else part
        for part in parts
    ]
    return torch.cat([part.to(device) for part in wide]).cpu()
