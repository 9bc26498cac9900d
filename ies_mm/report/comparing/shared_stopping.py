"""Early stopping that the methods of a comparison share with the plain run."""

from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean

from ies_mm.report.reading.methods import (
    EARLY_STOPPING,
    PLAIN,
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


def by_epochs_trained(runs: Sequence[Run]) -> list[Run]:
    """Count the compute of runs that share early stopping by their epochs.

    They stop after different epochs, so runs that prune as much need not have
    trained as much. The full training is what the plain runs trained; without
    any, what was planned.

    Args:
        runs (sequence of Run): Runs with lengths relative to the full one.
    """
    plain = [
        run.progress.done
        for run in runs
        if run.method == PLAIN and run.progress.finished
    ]
    return [
        replace(run, trained_share=_trained_share(run, plain))
        if run.stops_like_all and run.progress.unit == 'epoch'
        else run
        for run in runs
    ]


def _trained_share(run: Run, plain: Sequence[int]) -> float:
    full = fmean(plain) * run.length if plain else run.progress.planned
    return run.progress.done / full if full else 1.0


def _named(run: Run) -> str:
    if run.method == EARLY_STOPPING:
        return by_length(run.length)
    return run.method
