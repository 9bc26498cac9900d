"""A run in one line of a table, read from what it left behind."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ies_mm.report.records import read_epochs


@dataclass(frozen=True)
class RunSummary:
    """What a run reached and what it cost.

    Attributes:
        name (str): Name in the table.
        metric (str): Name of the validation metric.
        best (float): Its best value.
        last (float): Its last value.
        saved (float): Excluded over all instance-epochs.
        forward_only (int): Instance-epochs scored without training.
        wall_seconds (float): The whole process, start to end.
    """

    name: str
    metric: str
    best: float
    last: float
    saved: float
    forward_only: int
    wall_seconds: float


def summarize(
    name: str, work_dir: Path, metric: str, wall_seconds: float
) -> RunSummary:
    """Read a finished run.

    Raises:
        ValueError: The run logged no such metric.
    """
    values = metric_values(work_dir, metric)
    if not values:
        raise ValueError(f'{work_dir} holds no value of {metric}')
    epochs = read_epochs(work_dir)
    return RunSummary(
        name=name,
        metric=metric,
        best=max(values),
        last=values[-1],
        saved=epochs[-1]['saved'] if epochs else 0.0,
        forward_only=sum(epoch['forward_only'] for epoch in epochs),
        wall_seconds=wall_seconds,
    )


def metric_values(work_dir: Path, metric: str) -> list[float]:
    """The values of a validation metric, in order."""
    lines = newest_scalars(work_dir)
    return [line[metric] for line in lines if metric in line]


def newest_scalars(work_dir: Path) -> list[dict[str, Any]]:
    """The lines of MMEngine's newest scalars.json; none if there is none."""
    files = sorted(Path(work_dir).glob('*/vis_data/scalars.json'))
    if not files:
        return []
    return [json.loads(line) for line in files[-1].read_text().splitlines()]


def table(runs: Sequence[RunSummary]) -> str:
    """Lines of text; the first run is what the others' time compares to."""
    header = (
        f'{"run":<8} {"best":>7} {"last":>7} {"saved":>7} '
        f'{"forward only":>13} {"wall time":>10} {"speed-up":>9}'
    )
    lines = [f'metric: {runs[0].metric}', header, '-' * len(header)]
    for run in runs:
        speed_up = runs[0].wall_seconds / run.wall_seconds
        lines.append(
            f'{run.name:<8} {run.best:>7.3f} {run.last:>7.3f} '
            f'{run.saved:>7.1%} {run.forward_only:>13} '
            f'{run.wall_seconds:>8.0f} s {speed_up:>8.2f}x'
        )
    return '\n'.join(lines)
