"""Compare runs: a table, and the files that go with it."""

from collections.abc import Sequence
from pathlib import Path

from ies_mm.report.comparing.comparison import compare_runs
from ies_mm.report.comparing.forgetting import SHARE
from ies_mm.report.comparing.notes import Comparison
from ies_mm.report.files import write_files
from ies_mm.report.showing.as_json import as_json
from ies_mm.report.showing.curves import draw_curves
from ies_mm.report.showing.page import render_page
from ies_mm.report.showing.table import table
from ies_mm.report.showing.times import draw_times

__all__ = ['compare', 'table']


def compare(
    work_dirs: Sequence[Path],
    out: Path,
    metric: str | None = None,
    early: float = SHARE,
) -> Comparison:
    """Read runs and write ``compare.json``, ``.html`` and pictures.

    ``curves.png`` has metric and counts, ``times.png`` the seconds of the
    epochs where a run has recorded any.

    Args:
        work_dirs (sequence of Path): Work directories of MMEngine runs.
        out (Path): The folder of the files; made where it is missing.
        metric (str, optional): Name of a validation metric. Defaults to None,
            a well-known one that all runs have.
        early (float): Of all images, how many of those pruned first are
            looked at. Defaults to 5%.

    Returns:
        Comparison: What :func:`table` prints.

    Raises:
        ConfigError: Runs that cannot be read or compared, or a folder that
            cannot be written to. Then nothing was written.
    """
    comparison = compare_runs(work_dirs, metric)
    times = draw_times(comparison)
    files = {
        'compare.json': as_json(comparison),
        'curves.png': draw_curves(comparison),
        'compare.html': render_page(comparison, times, early),
    }
    if times is not None:
        files['times.png'] = times
    write_files(out, files)
    if times is None:  # Nor is that of an earlier comparison left here.
        (out / 'times.png').unlink(missing_ok=True)
    return comparison
