"""Which labels are suspicious: those that a model keeps disagreeing with."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ies_mm.errors import ConfigError
from ies_mm.report.instances import INSTANCES, Tables, read_tables
from ies_mm.report.records import read_epochs

SUM = 'sum'
"""In the place of a term: all of them."""


@dataclass(frozen=True)
class Suspects:
    """The images of a run, the most suspicious first.

    Attributes:
        term (str): What they are ranked by, a term or ``'sum'``.
        terms (list of str): Names of the T terms.
        epochs (ndarray): int64 (E,), those that the means are over: kept, and
            with a loss of some image.
        names (list of str): Path of each of N images, in the data set's order.
        order (ndarray): int64 (N,), their numbers by falling mean loss; those
            that were never observed, or whose loss was not finite, at the
            end.
        loss (ndarray): float64 (N,), mean loss of each, what was not observed
            left out; NaN where nothing was.
        by_term (ndarray): float64 (N, T), the means of the single terms.
        last (ndarray): float64 (N,), the last loss that was observed.
        never_mastered (ndarray, optional): bool (N,), whether no epoch pruned
            it; None of a run that pruned nothing.
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
        """float64 (N,), exp(-loss): 1 for a label that is no surprise.

        Of a classifier with cross-entropy it is the probability of the given
        label, as a geometric mean over the epochs.
        """
        return np.asarray(np.exp(-self.loss))


def read_suspects(
    work_dir: Path, term: str = SUM, last: int | None = None
) -> Suspects:
    """Rank the images of a run.

    Args:
        work_dir (Path): Of a run with per-image losses.
        term (str): What to rank by. Defaults to the sum of all terms.
        last (int, optional): Epochs that the mean is over, the last ones in
            which images were observed. Defaults to None, all that were kept:
            a wrong label that the model has learned by heart in the end has
            a high loss before.

    Raises:
        ConfigError: The run has no such losses.
    """
    path = work_dir / 'ies' / INSTANCES
    if not path.is_file():
        raise ConfigError(
            f'{work_dir} has no losses of single images ({path} is not '
            'there); train with a selection hook, or with PerImageLossHook'
        )
    tables = read_tables(path)
    return rank(tables, read_epochs(work_dir), term, last)


def rank(
    tables: Tables,
    records: Sequence[dict[str, Any]],
    term: str = SUM,
    last: int | None = None,
) -> Suspects:
    """Rank images by their mean loss.

    Args:
        tables (Tables): Of a run.
        records (sequence of dict): Its epochs.
        term (str): See :func:`read_suspects`.
        last (int, optional): See :func:`read_suspects`.

    Raises:
        ConfigError: There is no such term, or no epoch.
    """
    # Where a training mixes images, they are scored every few epochs.
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
        order=np.argsort(-loss, kind='stable'),  # NaN stands last
        loss=loss,
        by_term=_mean(losses),
        last=_last(chosen),
        never_mastered=_never_mastered(tables, records),
        from_the_start=bool(tables.epochs[0] == 1),
    )


def _mean(losses: NDArray[np.float64]) -> NDArray[np.float64]:
    """Over the first axis, without what is not finite; NaN of nothing."""
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
    # An image of a dropped last batch was not trained either.
    pruned = {r['epoch'] for r in records if r.get('excluded')}
    epochs = np.isin(tables.epochs, [*pruned])
    if not epochs.any():
        return None
    return np.asarray(tables.trained[epochs].all(axis=0))
