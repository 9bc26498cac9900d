"""Costs and results of whole trainings, read back into a table."""

import json
import math
import statistics
from dataclasses import dataclass
from pathlib import Path

from ies_mm.errors import ConfigError
from ies_mm.report.comparing.comparison import HEADLINES
from ies_mm.report.reading.runs import read_run
from ies_mm.report.records import read_epochs

HEADINGS = (
    '', 'metric', 'saved', 'speed-up', 'limit', 'share of the limit',
    'the same in CPU time', 'scoring / training an image', 'between epochs',
)  # fmt: skip
PLAIN = 'plain'


@dataclass(frozen=True)
class Training:
    """The costs and results of one training.

    Attributes:
        method (str): Its name among :func:`methods`.
        seed (int): Seed of the training.
        wall (float): Wall seconds without validations.
        cpu (float): CPU seconds of the main process in that time.
        saved (float): Excluded instance-epochs / all.
        metric (float): Metric of the last validation.
        scoring_cost (float): Scoring / training an image; NaN without scoring.
        between (float): Waiting for first batches, collecting, deciding and
            recording, as a share of the epochs; NaN for a plain run.
    """

    method: str
    seed: int
    wall: float
    cpu: float
    saved: float
    metric: float
    scoring_cost: float
    between: float


def read(work_dir: Path, method: str, seed: int) -> Training:
    """Read a finished training.

    Args:
        work_dir (Path): Folder with the ``seconds.json`` of
            ``TrainingSeconds``.
        method (str): Name of the method.
        seed (int): Seed of the training.

    Raises:
        ConfigError: It has no validation.
    """
    seconds = json.loads((work_dir / 'seconds.json').read_text())
    records = read_epochs(work_dir)

    def total(*keys: str) -> float:
        return sum(
            record[f'{key}_seconds'] for record in records for key in keys
        )

    cost = between = math.nan
    if records:
        between = total('start', 'collect', 'decide', 'record') / total(
            'train', 'collect', 'refresh', 'decide', 'record'
        )
    scored = sum(record['forward_only'] for record in records)
    if scored:
        trained = sum(record['trained'] for record in records)
        cost = total('refresh') / scored / (total('train') / trained)
    return Training(
        method,
        seed,
        seconds['wall'],
        seconds['cpu'],
        records[-1]['saved'] if records else 0.0,
        _last_metric(work_dir),
        cost,
        between,
    )


def _last_metric(work_dir: Path) -> float:
    """The last value of the metric that a comparison would choose."""
    points = read_run(work_dir).points
    for name in (*HEADLINES, *points):
        if name in points:
            return list(points[name].values())[-1]
    raise ConfigError(f'{work_dir} has no validation')


def table(trainings: list[Training]) -> str:
    """A Markdown table: speed-up over plain, and relative to the limit."""
    plain = {t.seed: t for t in trainings if t.method == PLAIN}
    lines = [f'| {" | ".join(HEADINGS)} |', '|---' * len(HEADINGS) + '|']
    for method in dict.fromkeys(t.method for t in trainings):
        runs = [t for t in trainings if t.method == method]
        limits = [1 / (1 - t.saved) for t in runs]
        wall = [plain[t.seed].wall / t.wall for t in runs]
        cpu = [plain[t.seed].cpu / t.cpu for t in runs]
        cells = (
            method,
            _spread([t.metric for t in runs]),
            f'{statistics.mean(t.saved for t in runs):.1%}',
            _middle(wall),
            f'{statistics.mean(limits):.2f}',
            _middle([w / x for w, x in zip(wall, limits, strict=True)]),
            _middle([c / x for c, x in zip(cpu, limits, strict=True)]),
            _known(statistics.median(t.scoring_cost for t in runs), '.2f'),
            _known(statistics.median(t.between for t in runs), '.2%'),
        )
        lines.append(f'| {" | ".join(cells)} |')
    return '\n'.join(lines)


def _spread(values: list[float]) -> str:
    text = f'{statistics.mean(values):.4g}'
    if len(values) > 1:
        text += f' ± {statistics.stdev(values):.2g}'
    return text


def _middle(values: list[float]) -> str:
    middle = f'{statistics.median(values):.3f}'
    if len(values) == 1:
        return middle
    return f'{middle} ({min(values):.3f} to {max(values):.3f})'


def _known(value: float, form: str) -> str:
    return '' if math.isnan(value) else format(value, form)
