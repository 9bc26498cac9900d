"""Lengths of trainings relative to the full training of a comparison."""

from collections.abc import Sequence
from dataclasses import replace

from ies_mm.report.reading.methods import LENGTH, by_length
from ies_mm.report.reading.runs import Run


def relative_to_full(runs: Sequence[Run]) -> list[Run]:
    """Give lengths as shares of the training that the methods were given.

    If every method trained with ``--length 0.1``, a plain training of that
    length is their full baseline, and one of 0.08 is shorter by a fifth.
    Without methods, or if they differ in length, lengths stay as they are.
    Unfinished and dry runs do not count.

    Args:
        runs (sequence of Run): All runs of the comparison.
    """
    lengths = {
        run.length
        for run in runs
        if run.selected and not run.dry_run and run.progress.finished
    }
    if len(lengths) != 1:
        return list(runs)
    [full] = lengths
    return [_relative(run, full) for run in runs]


def _relative(run: Run, full: float) -> Run:
    length = run.length / full
    # Only plain trainings are named by their length.
    named = run.method == by_length(run.length)
    return replace(
        run,
        # Run.length and the settings of a group are read from the config.
        config={**run.config, LENGTH: length},
        method=by_length(length) if named else run.method,
        full_length=full,
    )
