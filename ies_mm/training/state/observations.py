"""The per-image losses seen in one epoch."""

import torch
from mmengine.dist import all_gather_object, is_main_process
from torch import Tensor

from ies_mm.errors import ConfigError

Noted = tuple[Tensor, Tensor, Tensor]
"""ids, losses (samples, T), missing (samples, T), on the CPU."""

ByEpoch = dict[int, tuple]
"""Epoch -> what was noted, its terms, those that a batch had."""


class Observations:
    """Collects losses batch by batch, without waiting for the device.

    A term may join late, as YOLOX's L1 loss does, and in one process before
    another. The run's names grow when an epoch is merged, in all processes
    alike; with the first batch of a run they are known at once.

    Args:
        names (list of str): Names of the run's terms, filled by the first
            batch where it is empty. Shared by all collections of a run.

    Attributes:
        present (set of str): Terms that a batch had; of all processes after
            :meth:`merge`.
        missed (set of int): Instances in whose place others came; of all
            processes after :meth:`merge`.
    """

    def __init__(self, names: list[str]) -> None:
        self.names = names
        self.present: set[str] = set()
        self.missed: set[int] = set()
        self._columns = list(names)
        self._ids: list[Tensor] = []
        self._losses: list[Tensor] = []
        self._missing: list[Tensor] = []

    def add(
        self,
        ids: Tensor,
        losses: dict[str, Tensor],
        missing: dict[str, Tensor] | None = None,
    ) -> None:
        """Note a batch.

        Args:
            ids (Tensor): int64 (B,), instances.
            losses (dict): Term -> float32 (B,), on any device. A head leaves
                a term out where the whole batch has nothing for it.
            missing (dict, optional): Term -> bool (B,), where an image has no
                such loss by its nature. Defaults to None, all have all.
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
        """What was noted on this rank, term by term of :meth:`columns`."""
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
        """Note again what :meth:`tensors` gave, of the run's names or others.

        Args:
            ids (Tensor): As of :meth:`tensors`.
            losses (Tensor): As of :meth:`tensors`.
            missing (Tensor): As of :meth:`tensors`.
            columns (list of str, optional): Their terms. Defaults to None,
                the run's.
            present (list of str, optional): Those that a batch had. Defaults
                to None, all.
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
            parts.append(_ordered(values.cpu(), theirs, self._columns))

    def merge(self) -> tuple[Tensor, Tensor, Tensor]:
        """One observation per instance, over all ranks.

        An instance seen several times in the epoch (a repeated data set, a
        rank filled up) has the mean of its losses. A term that it does not
        have counts zero; where it has none at all it is seen, not observed.
        The run's names get the terms that joined.

        Returns:
            tuple: ids int64 (M,), each once and ascending, losses float32
            (M, T), and the instances seen, int64, all on the CPU.
        """
        parts = all_gather_object(
            (
                self.names,
                self.columns(),
                self.present,
                self.tensors(),
                self.missed,
            )
        )
        every = [name for part in parts for name in (*part[0], *part[1])]
        self.names[:] = list(dict.fromkeys([*parts[0][0], *every]))
        self.present = set().union(*(part[2] for part in parts))
        self.missed = set().union(*(part[4] for part in parts))
        seen = torch.cat([part[3][0] for part in parts])
        losses, missing = (
            torch.cat([_ordered(p[3][k], p[1], self.names) for p in parts])
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
        return unique, (total / times[:, None]).float(), torch.unique(seen)


class ObservationsByEpoch:
    """The observations of the epochs that have not ended.

    In an iteration-based loop a batch may belong to two of them.

    Args:
        names (list of str): See :class:`Observations`.

    Attributes:
        latest (list of str, optional): Terms of the last batch; None before
            any.
    """

    def __init__(self, names: list[str]) -> None:
        self.latest: list[str] | None = None
        self._names = names
        self._epochs: dict[int, Observations] = {}
        self._awaited: set[str] = set()
        self._begun_before: set[int] = set()
        self._gathered: ByEpoch | None = None

    def add(
        self,
        epochs: list[tuple[int, int]],
        ids: Tensor,
        losses: dict[str, Tensor],
        missing: dict[str, Tensor],
    ) -> None:
        """Note a batch; see :meth:`Observations.add`.

        Args:
            epochs (list of tuple): (epoch, samples) in the batch's order.
            ids (Tensor): int64 (B,), instances.
            losses (dict): Term -> float32 (B,).
            missing (dict): Term -> bool (B,).
        """
        self.latest = sorted(losses)
        self._awaited -= losses.keys()
        self._gathered = None
        start = 0
        for epoch, samples in epochs:
            part = slice(start, start + samples)
            self._of(epoch).add(
                ids[part],
                {term: values[part] for term, values in losses.items()},
                {term: mask[part] for term, mask in missing.items()},
            )
            start += samples

    def note_missed(self, epoch: int, numbers: set[int]) -> None:
        """Note images in whose place others came.

        A checkpoint within the epoch does not keep them.

        Args:
            epoch (int): Of the batch.
            numbers (set of int): Instances.
        """
        self._of(epoch).missed |= numbers

    def take(self, epoch: int) -> Observations:
        """The observations of an epoch that has ended; forgotten here.

        Raises:
            ConfigError: A term of the checkpoint that was resumed from was
                in no batch of a whole epoch.
        """
        # The rest of an epoch may have none by chance.
        whole = epoch not in self._begun_before
        if whole and self._awaited and self._awaited != set(self._names):
            raise ConfigError(
                'cannot resume: the checkpoint has the loss term '
                f'{min(self._awaited)!r}, which this model does not have (it '
                f'has {", ".join(sorted(set(self._names) - self._awaited))}); '
                'resume with the same model, or start anew with load_from'
            )
        self._gathered = None
        return self._epochs.pop(epoch, Observations(self._names))

    def samples(self, epoch: int) -> int:
        """How many samples of an epoch were noted."""
        return len(self._of(epoch).tensors()[0])

    def gather(self) -> None:
        """Have the coming checkpoint hold what all ranks noted.

        To be called by all of them; one rank alone writes checkpoints.
        """
        parts = all_gather_object(self._noted())
        epochs = sorted({epoch for part in parts for epoch in part})
        self._gathered = {
            epoch: _concatenated([p[epoch] for p in parts if epoch in p])
            for epoch in epochs
        }

    def state_dict(self) -> ByEpoch:
        """What was noted so far, by epoch.

        Ids, losses, missing, their terms, the terms that a batch had.

        Of all ranks right after :meth:`gather`, else of this one.
        """
        return self._noted() if self._gathered is None else self._gathered

    def load_state_dict(
        self, state: ByEpoch, absent: set[str], latest: list[str] | None
    ) -> None:
        """Note again what :meth:`state_dict` gave, under the run's names.

        Args:
            state (dict): What it gave.
            absent (set of str): Terms that had left before.
            latest (list of str, optional): Terms of the last batch; others
                were about to leave. None where that is not known.
        """
        self._awaited = set(self._names) - absent
        if latest is not None:
            self._awaited &= set(latest)
        self.latest = latest
        self._begun_before = set(state)
        if is_main_process():  # Each observation counts once.
            for epoch, seen in state.items():
                self._of(epoch).add_tensors(*seen)

    def _noted(self) -> ByEpoch:
        return {
            epoch: (*seen.tensors(), seen.columns(), sorted(seen.present))
            for epoch, seen in self._epochs.items()
        }

    def _of(self, epoch: int) -> Observations:
        return self._epochs.setdefault(epoch, Observations(self._names))


def _concatenated(parts: list[tuple]) -> tuple:
    terms = list(dict.fromkeys(name for part in parts for name in part[3]))
    ids = torch.cat([part[0] for part in parts])
    losses, missing = (
        torch.cat([_ordered(part[k], part[3], terms) for part in parts])
        for k in (1, 2)
    )
    present = sorted({name for part in parts for name in part[4]})
    return ids, losses, missing, terms, present


def _ordered(values: Tensor, terms: list[str], wanted: list[str]) -> Tensor:
    """The columns of some terms as those of others; zero where there is none.

    Args:
        values (Tensor): (samples, terms).
        terms (list of str): Of its columns.
        wanted (list of str): Of the columns wanted, all of them at least.
    """
    if terms == wanted:
        return values
    found = values.new_zeros(len(values), len(wanted))
    found[:, [wanted.index(term) for term in terms]] = values
    return found


def _joined(parts: list[Tensor], terms: int) -> Tensor:
    # Parts of a checkpoint are on the CPU; one copy for all the others.
    device = parts[-1].device
    wide = [
        torch.nn.functional.pad(part, (0, terms - part.shape[1]))
        if part.shape[1] < terms
        else part
        for part in parts
    ]
    return torch.cat([part.to(device) for part in wide]).cpu()
