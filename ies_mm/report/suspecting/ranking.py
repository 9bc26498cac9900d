"""Ranking of suspicious labels: those that a model keeps disagreeing with."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ies_mm.errors import ConfigError
from ies_mm.report.instances import (
    INSTANCES,
    Tables,
    excluded_in,
    read_tables,
)
from ies_mm.report.reading.methods import observes
from ies_mm.report.reading.parts import start_folders
from ies_mm.report.reading.runs import read_run
from ies_mm.report.records import read_epochs

SUM = 'sum'
"""Given instead of a term: the sum of all terms."""


@dataclass(frozen=True)
class Suspects:
    """The images of a run, the most suspicious first.

    Attributes:
        term (str): What they are ranked by, a term or ``'sum'``.
        terms (list of str): Names of the T terms.
        epochs (ndarray): int64 (E,), the epochs averaged: those kept with a
            loss of some image.
        names (list of str): Path of each of N images, in dataset order.
        order (ndarray): int64 (N,), image indices by decreasing mean loss;
            images never observed, or without a finite loss, come last.
        loss (ndarray): float64 (N,), mean of the observed losses; NaN without
            any.
        by_term (ndarray): float64 (N, T), the means of the single terms.
        last (ndarray): float64 (N,), the last observed loss.
        never_mastered (ndarray, optional): bool (N,), whether no epoch pruned
            the image; None for a run that pruned nothing.
        from_the_start (bool): Whether the run kept its first epoch.
    """

    term: str
    terms: list[str]
    epochs: NDArray[np.int64]
    names: list[str]
    order: NDArray[np.int64]
    loss: NDArray[np.float64]
    by_term: NDArray[np.float64]
    last: NDArray[np.float64]
    never_mastered: NDArray[np.bool_] | None
    from_the_start: bool

    @property
    def quality(self) -> NDArray[np.float64]:
        """float64 (N,), exp(-loss): 1 for a fully expected label.

        For a classifier with cross-entropy, it is the probability of the given
        label, as a geometric mean over the epochs.
        """
        return np.asarray(np.exp(-self.loss))


def read_suspects(
    work_dir: Path, term: str = SUM, last: int | None = None
) -> Suspects:
    """Rank the images of a run.

    Args:
        work_dir (Path): Work directory of a run with per-image losses.
        term (str): What to rank by. Defaults to the sum of all terms.
        last (int, optional): Number of epochs to average, the last ones in
            which images were observed. Defaults to None, all kept epochs: a
            wrong label that the model memorizes in the end has a high loss
            before.

    Raises:
        ConfigError: The run has no such losses.
    """
    path = work_dir / 'ies' / INSTANCES
    if not path.is_file():
        raise ConfigError(
            f'{work_dir} has no per-image losses ({path} does not exist); '
            'train with a selection hook, or with PerImageLossHook'
        )
    _check_newest(work_dir)
    tables = read_tables(path)
    return rank(tables, read_epochs(work_dir), term, last)


def _check_newest(work_dir: Path) -> None:
    """Refuse the records of an earlier training in the folder.

    Raises:
        ConfigError: The newest training has no records.
    """
    # A copy of the records alone says nothing about trainings.
    if not start_folders(work_dir):
        return
    run = read_run(work_dir)
    if not run.selected and not observes(run.config):
        raise ConfigError(
            f'{work_dir}/ies is not from the newest training there, which '
            'records no losses; give the folder of one that does'
        )


def rank(
    tables: Tables,
    records: Sequence[dict[str, Any]],
    term: str = SUM,
    last: int | None = None,
) -> Suspects:
    """Rank images by their mean loss.

    Args:
        tables (Tables): Per-image records of a run.
        records (sequence of dict): Records of its epochs.
        term (str): See :func:`read_suspects`.
        last (int, optional): See :func:`read_suspects`.

    Raises:
        ConfigError: The run has no such term, or no epoch with losses.
    """
    # A training run that mixes images scores them only every few epochs.
    [observed] = np.nonzero(np.isfinite(tables.losses).any(axis=(1, 2)))
    if not len(observed):
        raise ConfigError('the run has no losses of any epoch')
    if term not in (SUM, *tables.terms):
        raise ConfigError(
            f'--term {term}: the run has {", ".join((SUM, *tables.terms))}'
        )
    kept = observed if last is None else observed[-last:]
    losses = tables.losses[kept].astype(np.float64)
    chosen = losses.sum(axis=2)
    if term != SUM:
        chosen = losses[:, :, tables.terms.index(term)]
    loss = _mean(chosen)
    return Suspects(
        term=term,
        terms=tables.terms,
        epochs=tables.epochs[kept],
        names=tables.identity,
        order=np.argsort(-loss, kind='stable'),  # NaN comes last
        loss=loss,
        by_term=_mean(losses),
        last=_last(chosen),
        never_mastered=_never_mastered(tables, records),
        from_the_start=bool(tables.epochs[0] == 1),
    )


def _mean(losses: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean of the finite values over the first axis; NaN without any."""
    # nanmean would count infinite losses, and warn of images without any.
    finite = np.isfinite(losses)
    total = np.where(finite, losses, 0).sum(axis=0)
    number = finite.sum(axis=0)
    return np.where(number > 0, total / np.maximum(number, 1), np.nan)


def _last(losses: NDArray[np.float64]) -> NDArray[np.float64]:
    """The last finite value of each column of (E, N); NaN without one."""
    found: NDArray[np.float64] = np.full(losses.shape[1], np.nan)
    for row in losses:
        found = np.where(np.isfinite(row), row, found)
    return found


def _never_mastered(
    tables: Tables, records: Sequence[dict[str, Any]]
) -> NDArray[np.bool_] | None:
    excluded = excluded_in(tables, records)
    if not excluded.any():
        return None
    return np.asarray(~excluded.any(axis=0))
