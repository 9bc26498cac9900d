"""The per-image losses observed in one epoch."""

import torch
from mmengine.dist import all_gather_object
from torch import Tensor

from ies_mm.training.state.noted import Noted


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
        self._unobserved: list[Tensor] = []

    def note_unobserved(self, ids: Tensor) -> None:
        """Record images that were trained but whose losses are not known.

        Args:
            ids (Tensor): int64 (B,), instances.
        """
        self._unobserved.append(ids.cpu())

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
        self._columns = list(dict.fromkeys([*self.terms, *losses]))
        # On the losses' device: copying them here would wait for it.
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

    @property
    def terms(self) -> list[str]:
        """The run's terms and those of this rank's batches so far."""
        return list(dict.fromkeys([*self._columns, *self.names]))

    def noted(self) -> Noted:
        """This rank's observations."""
        terms = self.terms
        ids = torch.zeros(0, dtype=torch.long)
        losses = torch.zeros(0, len(terms))
        missing = losses.bool()
        if self._ids:
            ids = torch.cat(self._ids)
            losses = _joined(self._losses, len(terms))
            missing = _joined(self._missing, len(terms))
        nothing = torch.zeros(0, dtype=torch.long)
        unobserved = torch.cat([nothing, *self._unobserved])
        present = sorted(self.present)
        return Noted(ids, losses, missing, terms, present, unobserved)

    def add_noted(self, noted: Noted) -> None:
        """Add what :meth:`noted` returned, possibly with other terms.

        Args:
            noted (Noted): The observations.
        """
        self.present |= set(noted.present)
        self._columns = list(dict.fromkeys([*self.terms, *noted.terms]))
        noted = noted.under(self._columns)
        self._ids.append(noted.ids)
        self._losses.append(noted.losses)
        self._missing.append(noted.missing)
        self._unobserved.append(noted.unobserved)

    def merge(self) -> tuple[Tensor, Tensor, Tensor]:
        """Merge the ranks' losses into one observation per instance.

        An instance seen several times in the epoch (a repeated dataset, a
        rank filled up) gets the mean of its losses. A term it does not have
        counts as zero; if it has none at all, it is trained but not observed.
        Terms that joined are added to the run's names.

        Returns:
            tuple: ids, int64 (M,), unique and ascending; losses, float32
            (M, T); all instances that were trained, int64; on the CPU.
        """
        parts: list[tuple[list[str], Noted, set[int]]] = all_gather_object(
            (self.names, self.noted(), self.missed)
        )
        every = [t for names, noted, _ in parts for t in names + noted.terms]
        # In place, as all collections share the list; in the order of the
        # ranks, which is the same on each of them.
        self.names[:] = list(dict.fromkeys([*parts[0][0], *every]))
        self.missed = set().union(*(missed for *_, missed in parts))
        found = Noted.concatenated([noted for _, noted, _ in parts])
        self.present = set(found.present)
        found = found.under(self.names)
        trained = torch.unique(torch.cat([found.ids, found.unobserved]))
        return *_means(found), trained


def _means(noted: Noted) -> tuple[Tensor, Tensor]:
    """Instances, ascending, and the means of their losses, (M, T)."""
    missing = noted.missing
    kept = ~missing.all(dim=1) if noted.terms else missing.new_zeros(0)
    # A missing term is NaN and would poison the sum. In float64, where the
    # order of an image's samples hardly matters.
    losses = noted.losses.double().masked_fill(missing, 0)[kept]
    unique, row, times = torch.unique(
        noted.ids[kept], return_inverse=True, return_counts=True
    )
    total = torch.zeros(len(unique), len(noted.terms), dtype=torch.double)
    total.index_add_(0, row, losses)
    return unique, (total / times[:, None]).float()


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
