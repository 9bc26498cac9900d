"""Early stopping that the methods of a comparison share with the plain run."""

from collections.abc import Sequence
from dataclasses import replace

from ies_mm.report.reading.methods import (
    EARLY_STOPPING,
    by_length,
    stops_early,
)
from ies_mm.report.reading.runs import Run


def shared_stopping(runs: Sequence[Run]) -> list[Run]:
    """Take early stopping for a part of the training if the methods stop, too.

    A plain run with their ``EarlyStoppingHook`` is their baseline, and the
    epochs that they do not train are not saved by a method.

    Args:
        runs (sequence of Run): All runs of the comparison.
    """
    if not any(run.selected and stops_early(run.config) for run in runs):
        return list(runs)
    return [
        replace(run, method=_named(run), stops_like_all=True)
        if stops_early(run.config)
        else run
        for run in runs
    ]


def _named(run: Run) -> str:
    if run.method == EARLY_STOPPING:
        return by_length(run.length)
    return run.method
