"""A comparison of runs: rows of figures, notes, a verdict."""

from collections.abc import Sequence
from pathlib import Path

from ies_mm.errors import ConfigError
from ies_mm.report.comparing.differences import differences_of
from ies_mm.report.comparing.figures import figures_of, speed_up
from ies_mm.report.comparing.groups import Group, baselines_of, group_runs
from ies_mm.report.comparing.labels import labelled
from ies_mm.report.comparing.lengths import relative_to_full
from ies_mm.report.comparing.notes import Comparison, Row, notes_on
from ies_mm.report.comparing.same_data import check_same_data
from ies_mm.report.comparing.shared_stopping import (
    by_epochs_trained,
    shared_stopping,
)
from ies_mm.report.comparing.verdict import verdict_on
from ies_mm.report.reading.runs import Run, is_comparison, read_run

HEADLINES = (
    'pascal_voc/mAP',
    'coco/bbox_mAP',
    'mIoU',
    'accuracy/top1',
)


def compare_runs(
    work_dirs: Sequence[Path], metric: str | None = None
) -> Comparison:
    """Read work directories and compare their runs.

    Args:
        work_dirs (sequence of Path): At least one work directory.
        metric (str, optional): Name of a validation metric. Defaults to None:
            a well-known one that all runs have, else the first common one.

    Raises:
        ConfigError: A directory cannot be read or contains no run, the runs
            are on different data, or they have no common metric of this name.
    """
    given = [path for path in work_dirs if not is_comparison(path)]
    folders: dict[Path, Path] = {}
    # If all are comparisons, read_run says what is wrong with them.
    for path in given or work_dirs:
        folders.setdefault(path.resolve(), path)
    runs = [read_run(folder) for folder in folders.values()]
    check_same_data(runs)
    runs = by_epochs_trained(relative_to_full(shared_stopping(runs)))
    name = _metric(runs, metric)
    rows = _rows(labelled(group_runs(runs)), name)
    repeated = len(given) - len(folders)
    notes = notes_on(rows, repeated, name)
    return Comparison(name, rows, notes, verdict_on(rows))


def _metric(runs: Sequence[Run], wanted: str | None) -> str | None:
    # A run without any validation yet must not empty the choice.
    validated = [run for run in runs if run.points]
    if not validated:
        if wanted:
            raise ConfigError(
                f'--metric {wanted}: no run has been validated yet; '
                'wait for the first validation'
            )
        return None
    common = [
        name
        for name in validated[0].points
        if all(name in run.points for run in validated)
    ]
    if wanted and wanted not in common:
        raise ConfigError(
            f'--metric {wanted}: not every run has it; '
            f'common metrics: {", ".join(common) or "none"}'
        )
    if not common:
        raise ConfigError(
            'the runs have no validation metric in common: '
            + '; '.join(
                f'{run.work_dir} has {", ".join(run.points) or "none"}'
                for run in runs
            )
            + '; compare runs with the same evaluator'
        )
    headlines = [name for name in HEADLINES if name in common]
    return wanted or [*headlines, *common][0]


def _rows(groups: Sequence[Group], metric: str | None) -> list[Row]:
    figures = [figures_of(group.runs, metric) for group in groups]
    rows = []
    for group, own in zip(groups, figures, strict=True):
        plain = [
            speed_up(own, other.label, theirs)
            for other, theirs in zip(groups, figures, strict=True)
            if group.finished and other in baselines_of(group, groups)
        ]
        # Of several suitable plain groups, take the fastest.
        known = [found for found in plain if found is not None]
        fastest = min(known, key=lambda found: found.factor, default=None)
        apart = differences_of(group, groups, metric)
        rows.append(Row(group, own, fastest, apart))
    return rows
