"""The per-image losses seen in one epoch."""

import torch
from mmengine.dist import all_gather_object, is_main_process
from torch import Tensor

from ies_mm.errors import ConfigError, UnsupportedModelError

Noted = tuple[Tensor, Tensor, Tensor]
ByEpoch = dict[int, Noted]


class Observations:
    """Collects losses batch by batch, without waiting for the device.

    Args:
        names (list of str): Names of the terms, filled by the first batch
            where it is empty. Shared by all collections of a run.
    """

    def __init__(self, names: list[str]) -> None:
        self.names = names
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
            losses (dict): Term -> float32 (B,), on any device.
            missing (dict, optional): Term -> bool (B,), where an image has no
                such loss by its nature. Defaults to None, all have all.

        Raises:
            ConfigError: A term that the first batch, or the checkpoint, did
                not have.
            UnsupportedModelError: Not one loss an image.
        """
        lengths = {len(values) for values in losses.values()}
        if lengths != {len(ids)}:
            raise UnsupportedModelError(
                f'the model made losses of {sorted(lengths)} images from a '
                f'batch of {len(ids)}; models that multiply their batch '
                '(TridentNet) are not supported'
            )
        if not self.names:
            self.names.extend(losses)
        new = [term for term in losses if term not in self.names]
        if new:
            raise ConfigError(
                f'loss term {new[0]!r} is none of the first batch, or of the '
                f'checkpoint resumed from ({", ".join(self.names)}); train '
                'with a model whose terms stay the same'
            )
        # A head leaves a term out where the whole batch has nothing for it.
        absent = torch.zeros_like(next(iter(losses.values())))
        everywhere = torch.zeros_like(absent, dtype=torch.bool)
        missing = missing or {}
        self._ids.append(ids)
        self._losses.append(
            torch.stack([losses.get(t, absent) for t in self.names], dim=1)
        )
        self._missing.append(
            torch.stack([missing.get(t, everywhere) for t in self.names], 1)
        )

    def tensors(self) -> Noted:
        """What was noted on this rank: ids, losses, missing, on the CPU."""
        if not self._ids:
            empty = torch.zeros(0, dtype=torch.long)
            none = torch.zeros(0, len(self.names))
            return empty, none, none.bool()
        return (
            torch.cat(self._ids),
            _joined(self._losses),
            _joined(self._missing),
        )

    def add_tensors(
        self, ids: Tensor, losses: Tensor, missing: Tensor
    ) -> None:
        """Note again what :meth:`tensors` gave."""
        self._ids.append(ids.cpu())
        self._losses.append(losses.cpu())
        self._missing.append(missing.cpu())

    def merge(self) -> tuple[Tensor, Tensor, Tensor]:
        """One observation per instance, over all ranks.

        An instance seen several times in the epoch (a repeated data set, a
        rank filled up) has the mean of its losses. A term that it does not
        have counts zero; where it has none at all it is seen, not observed.

        Returns:
            tuple: ids int64 (M,), each once and ascending, losses float32
            (M, T), and the instances seen, int64, all on the CPU.
        """
        parts = all_gather_object(self.tensors())
        seen = torch.cat([part[0] for part in parts])
        losses = torch.cat([part[1] for part in parts]).double()
        missing = torch.cat([part[2] for part in parts])
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
    """

    def __init__(self, names: list[str]) -> None:
        self._names = names
        self._epochs: dict[int, Observations] = {}
        self._awaited: set[str] = set()
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

    def take(self, epoch: int) -> Observations:
        """The observations of an epoch that has ended; forgotten here.

        Raises:
            ConfigError: A term of the checkpoint that was resumed from was
                in no batch of the epoch.
        """
        if self._awaited and self._awaited != set(self._names):
            raise ConfigError(
                'cannot resume: the checkpoint has the loss term '
                f'{min(self._awaited)!r}, which this model has not (it has '
                f'{", ".join(sorted(set(self._names) - self._awaited))}); '
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
        """What was noted so far, by epoch: ids, losses, missing.

        Of all ranks right after :meth:`gather`, else of this one.
        """
        return self._noted() if self._gathered is None else self._gathered

    def load_state_dict(self, state: ByEpoch) -> None:
        """Note again what :meth:`state_dict` gave, under the run's names."""
        self._awaited = set(self._names)
        if is_main_process():  # Each observation counts once.
            for epoch, seen in state.items():
                self._of(epoch).add_tensors(*seen)

    def _noted(self) -> ByEpoch:
        return {epoch: seen.tensors() for epoch, seen in self._epochs.items()}

    def _of(self, epoch: int) -> Observations:
        return self._epochs.setdefault(epoch, Observations(self._names))


def _concatenated(parts: list[Noted]) -> Noted:
    ids, losses, missing = zip(*parts, strict=True)
    return torch.cat(ids), torch.cat(losses), torch.cat(missing)


def _joined(parts: list[Tensor]) -> Tensor:
    # Parts of a checkpoint are on the CPU; one copy for all the others.
    device = parts[-1].device
    return torch.cat([part.to(device) for part in parts]).cpu()
