"""Curves of runs over epochs, after the paper's Figures 1 and 2."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from ies_mm.report.records import read_epochs
from ies_mm.report.summary import newest_scalars


def draw_curves(
    groups: Mapping[str, Sequence[Path]], metric: str, out: Path
) -> None:
    """Draw the metric and the images left out, a line per run.

    Args:
        groups (mapping): Label -> work directories, one per seed; the runs of
            a label share its colour.
        metric (str): Name of the validation metric.
        out (Path): The PNG file.
    """
    figure = Figure(figsize=(9, 3.6), layout='constrained')
    left, right = figure.subplots(1, 2)
    for number, (label, work_dirs) in enumerate(groups.items()):
        colour = f'C{number}'
        for seed, work_dir in enumerate(work_dirs):
            name = label if seed == 0 else None
            left.plot(
                *_metric_curve(work_dir, metric),
                '.-',
                color=colour,
                label=name,
            )
            counts = _count_curve(work_dir)
            if counts is not None:
                right.plot(*counts, '.-', color=colour, label=name)
    left.set(xlabel='epoch', ylabel=metric)
    right.set(xlabel='epoch', ylabel='images excluded (dry run: mastered)')
    for axes in (left, right):
        axes.set_xlim(left=0)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
        axes.legend(frameon=False)
    figure.savefig(out, dpi=150)


def _metric_curve(
    work_dir: Path, metric: str
) -> tuple[list[int], list[float]]:
    points = [
        (line['step'], line[metric])
        for line in newest_scalars(work_dir)
        if metric in line
    ]
    return [step for step, _ in points], [value for _, value in points]


def _count_curve(work_dir: Path) -> tuple[list[int], list[int]] | None:
    """Mastered images where nothing was left out, else the excluded ones."""
    records = read_epochs(work_dir)
    if not records:
        return None
    excluded = [record['excluded'] for record in records]
    if any(excluded):
        return [record['epoch'] for record in records], excluded
    # What is mastered after an epoch would be out in the next one.
    return (
        [record['epoch'] + 1 for record in records],
        [record['mastered'] for record in records],
    )
