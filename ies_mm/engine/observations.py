"""The per-image losses seen in one epoch."""

import torch
from mmengine.dist import all_gather_object
from torch import Tensor

from ies_mm.errors import ConfigError, UnsupportedModelError


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

    def add(self, ids: Tensor, losses: dict[str, Tensor]) -> None:
        """Note a batch.

        Args:
            ids (Tensor): int64 (B,), instances.
            losses (dict): Term -> float32 (B,), on any device.

        Raises:
            ConfigError: A term that the first batch did not have.
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
                f'loss term {new[0]!r} appeared after the first batch, which '
                f'had {", ".join(self.names)}'
            )
        # A head leaves a term out where the whole batch has nothing for it.
        absent = torch.zeros_like(next(iter(losses.values())))
        rows = [losses.get(term, absent) for term in self.names]
        self._ids.append(ids)
        self._losses.append(torch.stack(rows, dim=1))

    def merge(self) -> tuple[Tensor, Tensor]:
        """One observation per instance, over all ranks; empties this.

        An instance seen several times in the epoch (a repeated data set, a
        rank filled up) has the mean of its losses.

        Returns:
            tuple: ids int64 (M,), each once and ascending, and losses
            float32 (M, T), both on the CPU.
        """
        mine = self._concatenated()
        parts = all_gather_object(mine)
        ids = torch.cat([part[0] for part in parts])
        losses = torch.cat([part[1] for part in parts]).double()
        unique, row, times = torch.unique(
            ids, return_inverse=True, return_counts=True
        )
        total = torch.zeros(len(unique), len(self.names), dtype=torch.double)
        total.index_add_(0, row, losses)
        return unique, (total / times[:, None]).float()

    def _concatenated(self) -> tuple[Tensor, Tensor]:
        if not self._ids:
            empty = torch.zeros(0, dtype=torch.long)
            return empty, torch.zeros(0, len(self.names))
        ids, losses = torch.cat(self._ids), torch.cat(self._losses).cpu()
        self._ids, self._losses = [], []
        return ids, losses
