"""The observations of unfinished epochs."""

import torch
from mmengine.dist import all_gather_object, is_main_process
from torch import Tensor

from ies_mm.training.state.observations import Observations, ordered

ByEpoch = dict[int, tuple]
"""Epoch -> observations, as :meth:`ObservationsByEpoch.state_dict` says."""


class ObservationsByEpoch:
    """The observations of unfinished epochs.

    In an iteration-based loop, a batch may belong to two of them.

    Args:
        names (list of str): See :class:`Observations`.
    """

    def __init__(self, names: list[str]) -> None:
        self._names = names
        self._epochs: dict[int, Observations] = {}
        self._gathered: ByEpoch | None = None

    def add(
        self,
        epochs: list[tuple[int, int]],
        ids: Tensor,
        losses: dict[str, Tensor],
        missing: dict[str, Tensor],
    ) -> None:
        """Record a batch; see :meth:`Observations.add`.

        Args:
            epochs (list of tuple): (epoch, samples) in the batch's order.
            ids (Tensor): int64 (B,), instances.
            losses (dict): Term -> float32 (B,).
            missing (dict): Term -> bool (B,).
        """
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

    def note_seen(self, epochs: list[tuple[int, int]], ids: Tensor) -> None:
        """Record a batch whose losses are not known.

        Args:
            epochs (list of tuple): See :meth:`add`.
            ids (Tensor): int64 (B,), instances.
        """
        self._gathered = None
        sizes = [samples for _, samples in epochs]
        parts = ids.split(sizes)
        for (epoch, _), part in zip(epochs, parts, strict=True):
            self._of(epoch).note_seen(part)

    def note_missed(self, epoch: int, numbers: set[int]) -> None:
        """Record images that others replaced.

        A checkpoint within the epoch does not keep them.

        Args:
            epoch (int): The batch's epoch.
            numbers (set of int): Instances.
        """
        self._of(epoch).missed |= numbers

    def take(self, epoch: int) -> Observations:
        """Remove and return the observations of a finished epoch."""
        self._gathered = None
        return self._epochs.pop(epoch, Observations(self._names))

    def samples(self, epoch: int) -> int:
        """Number of recorded samples of an epoch."""
        noted = self._of(epoch)
        return len(noted.tensors()[0]) + len(noted.seen())

    def gather(self) -> None:
        """Gather all ranks' observations for the next checkpoint.

        Call it on all ranks; only one writes checkpoints.
        """
        parts = all_gather_object(self._noted())
        epochs = sorted({epoch for part in parts for epoch in part})
        self._gathered = {
            epoch: _concatenated([p[epoch] for p in parts if epoch in p])
            for epoch in epochs
        }

    def state_dict(self) -> ByEpoch:
        """The observations so far, by epoch.

        Per epoch: ids, losses, missing, their terms, the terms that any batch
        had, and the instances trained without a loss of their own.

        From all ranks right after :meth:`gather`, else from this one.
        """
        return self._noted() if self._gathered is None else self._gathered

    def load_state_dict(self, state: ByEpoch) -> None:
        """Restore what :meth:`state_dict` returned, under the run's names."""
        if is_main_process():  # Each observation counts once.
            for epoch, (*noted, seen) in map(_as_of_today, state.items()):
                self._of(epoch).add_tensors(*noted)
                self._of(epoch).note_seen(seen)

    def _noted(self) -> ByEpoch:
        return {
            epoch: (
                *noted.tensors(),
                noted.columns(),
                sorted(noted.present),
                noted.seen(),
            )
            for epoch, noted in self._epochs.items()
        }

    def _of(self, epoch: int) -> Observations:
        return self._epochs.setdefault(epoch, Observations(self._names))


def _concatenated(parts: list[tuple]) -> tuple:
    terms = list(dict.fromkeys(name for part in parts for name in part[3]))
    ids = torch.cat([part[0] for part in parts])
    losses, missing = (
        torch.cat([ordered(part[k], part[3], terms) for part in parts])
        for k in (1, 2)
    )
    present = sorted({name for part in parts for name in part[4]})
    seen = torch.cat([part[5] for part in parts])
    return ids, losses, missing, terms, present, seen


def _as_of_today(noted: tuple[int, tuple]) -> tuple[int, tuple]:
    """Add what earlier versions did not write, such as instances seen."""
    epoch, (ids, losses, missing, *rest) = noted
    nothing = torch.zeros(0, dtype=torch.long)
    unknown = (None, None, nothing)[len(rest) :]
    return epoch, (ids, losses, missing, *rest, *unknown)
