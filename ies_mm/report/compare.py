"""Compare runs: a table and its accompanying files."""

from collections.abc import Sequence
from pathlib import Path

from ies_mm.report.comparing.comparison import compare_runs
from ies_mm.report.comparing.forgetting import SHARE
from ies_mm.report.comparing.notes import Comparison
from ies_mm.report.files import write_files
from ies_mm.report.showing.as_json import as_json
from ies_mm.report.showing.curves import draw_curves
from ies_mm.report.showing.forest import draw_differences
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

    ``curves.png`` shows the metric and the number of pruned images;
    ``differences.png`` the differences from the controls, if there are any;
    ``times.png`` the seconds of each epoch, if any run has recorded them.

    Args:
        work_dirs (sequence of Path): Work directories of MMEngine runs.
        out (Path): Output folder; created if missing.
        metric (str, optional): Name of a validation metric. Defaults to None:
            a well-known one that all runs have.
        early (float): Share of all images, those pruned first, to check for
            forgetting. Defaults to 5%.

    Returns:
        Comparison: The argument of :func:`table`.

    Raises:
        ConfigError: The runs cannot be read or compared, or the folder cannot
            be written to. No file has been written then.
    """
    comparison = compare_runs(work_dirs, metric)
    times, differences = draw_times(comparison), draw_differences(comparison)
    files = {
        'compare.json': as_json(comparison),
        'curves.png': draw_curves(comparison),
        'compare.html': render_page(comparison, times, differences, early),
    }
    optional = {'times.png': times, 'differences.png': differences}
    drawn = {name: data for name, data in optional.items() if data}
    write_files(out, files | drawn)
    for name in optional.keys() - drawn.keys():  # of an earlier comparison
        (out / name).unlink(missing_ok=True)
    return comparison
