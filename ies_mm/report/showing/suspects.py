"""The page's section of suspected label errors."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ies_mm.report.comparing.notes import Row
from ies_mm.report.instances import INSTANCES, Tables, read_tables
from ies_mm.report.reading.methods import observes
from ies_mm.report.reading.runs import Run
from ies_mm.report.showing.table import UNKNOWN
from ies_mm.report.suspecting.ranking import SUM, Suspects, rank
from ies_mm.report.values import printable

SHOWN = 5
"""Images for each term."""


@dataclass(frozen=True)
class Suspicion:
    """The most suspicious images of a group, from its first run.

    Attributes:
        label (str): Label of the group.
        origin (str): The run and the epochs averaged.
        rows (list of list of str): Term, image, mean and last loss, and
            whether it was never pruned.
    """

    label: str
    origin: str
    rows: list[list[str]]


def suspicions_of(rows: Sequence[Row]) -> Iterator[Suspicion]:
    """Yield one for each group whose first run has per-image losses."""
    for row in rows:
        run = row.group.runs[0]
        path = run.work_dir / 'ies' / INSTANCES
        recorded = run.selected or observes(run.config)
        tables = read_tables(path) if recorded and path.exists() else None
        if tables and np.isfinite(tables.losses).any():
            yield _suspicion(row.group.label, run, tables)


def _suspicion(label: str, run: Run, tables: Tables) -> Suspicion:
    terms = tables.terms
    ranked_by = [SUM, *terms] if len(terms) > 1 else terms
    ranked = [rank(tables, run.records, term) for term in ranked_by]
    epochs = ranked[0].epochs
    return Suspicion(
        label,
        f'Run {run.work_dir}, epochs {epochs[0]} to {epochs[-1]}',
        [cells for found in ranked for cells in _cells(found)],
    )


def _cells(found: Suspects) -> Iterator[list[str]]:
    never = found.never_mastered
    for image in found.order[:SHOWN].tolist():
        yield [
            found.term,
            printable(found.names[image]),
            f'{found.loss[image]:.3g}',
            f'{found.last[image]:.3g}',
            UNKNOWN if never is None else 'yes' if never[image] else 'no',
        ]
