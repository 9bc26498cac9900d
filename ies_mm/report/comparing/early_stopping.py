"""Early stopping as a method, or as a part of every run."""

from collections.abc import Sequence
from dataclasses import replace

from ies_mm.report.reading.methods import (
    EARLY_STOPPING,
    by_length,
    stops_early,
)
from ies_mm.report.reading.runs import Run


def shared_is_no_method(runs: Sequence[Run]) -> list[Run]:
    """Name the runs by their length if the methods stop early, too.

    A plain training whose ``EarlyStoppingHook`` the other configs share is
    their baseline.

    Args:
        runs (sequence of Run): All runs of the comparison.
    """
    if not any(run.selected and stops_early(run.config) for run in runs):
        return list(runs)
    return [
        replace(run, method=by_length(run.length))
        if run.method == EARLY_STOPPING
        else run
        for run in runs
    ]
