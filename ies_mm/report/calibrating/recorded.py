"""The losses that a run recorded for every image and epoch."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ies_mm.core import Criterion, LossHistory, Progress, Relative
from ies_mm.core.first_loss import FirstLoss
from ies_mm.errors import ConfigError
from ies_mm.report.instances import INSTANCES, Tables, read_tables
from ies_mm.report.records import read_epochs

HOW = 'train with default_hooks.ies.dry_run=True and keep_history=True'


@dataclass(frozen=True)
class Recorded:
    """A run's losses.

    Attributes:
        losses (ndarray): float32 (E, N, T), NaN where not observed.
        trained (ndarray): bool (E, N).
        terms (list of str): Names of the T terms.
        epochs (ndarray, optional): int64 (E,), epoch numbers. Defaults to
            None, which counts from 1.
    """

    losses: NDArray[np.float32]
    trained: NDArray[np.bool_]
    terms: list[str]
    epochs: NDArray[np.int64] | None = None

    @property
    def numbers(self) -> list[int]:
        """Numbers of the E epochs; those between scoring passes are absent."""
        if self.epochs is None:
            return list(range(1, len(self.losses) + 1))
        return self.epochs.tolist()

    @property
    def total(self) -> NDArray[np.float64]:
        """The summed loss, (E, N)."""
        return self.losses.astype(np.float64).sum(axis=2)

    def scale(self, criterion: Criterion) -> torch.Tensor:
        """Units of the judged columns, float64 (C,).

        One column is in units of the loss; of several, each is in units of its
        first mean loss.
        """
        if criterion.width(self.terms) == 1:
            return torch.ones(1, dtype=torch.double)
        first = FirstLoss()
        for rows in self.losses:
            first.update(torch.from_numpy(rows))
        return Relative(1).scale(Progress(first.judged(criterion, self.terms)))

    def scores(self, criterion: Criterion) -> NDArray[np.float64]:
        """The criterion after every epoch, (E, N), NaN before it can judge."""
        scale = self.scale(criterion)
        found = np.full(self.trained.shape, np.nan)
        instances, terms = self.losses.shape[1:]
        history = LossHistory(instances, terms, criterion.depth)
        for epoch, rows in enumerate(self.losses):
            # The file does not tell a NaN loss, an observation of the run,
            # from a missing one; both are skipped.
            [seen] = np.nonzero(~np.isnan(rows).any(axis=1))
            history.observe(
                torch.from_numpy(seen), torch.from_numpy(rows[seen])
            )
            score = criterion.score(history.values, self.terms, scale)
            early = history.count < criterion.needed
            found[epoch] = score.masked_fill(early, torch.nan).numpy()
        return found


def read_recorded(work_dir: Path) -> Recorded:
    """Read ``ies/instances.npz`` of a run that kept all its epochs.

    Raises:
        ConfigError: The file does not exist, is damaged, or has only the last
            epochs.
    """
    path = work_dir / 'ies' / INSTANCES
    if not path.is_file():
        raise ConfigError(f'{path} is missing; {HOW}')
    try:
        tables = read_tables(path)
    except ConfigError as error:
        raise ConfigError(f'{error}; {HOW}') from error
    found = tables.epochs.tolist()
    if not found or found != list(range(1, len(found) + 1)):
        raise ConfigError(f'{path} does not have every epoch; {HOW}')
    known = ~_between_scorings(tables, read_epochs(work_dir))
    if not (tables.identity and tables.terms and known.any()):
        raise ConfigError(f'{path} has neither images nor losses; {HOW}')
    return Recorded(
        tables.losses[known],
        tables.trained[known],
        tables.terms,
        tables.epochs[known],
    )


def _between_scorings(
    tables: Tables, records: Sequence[dict[str, Any]]
) -> NDArray[np.bool_]:
    """bool (E,), epochs that mixed images and scored none.

    In other epochs without a loss, all were NaN, which their record counts.
    """
    none = np.isnan(tables.losses).all(axis=(1, 2))
    sound = [r['epoch'] for r in records if r.get('non_finite') == 0]
    return none & np.isin(tables.epochs, sound)
