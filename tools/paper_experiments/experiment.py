"""An experiment, its runs and its results."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from ies_mm.errors import ConfigError
from ies_mm.report.calibrating.recorded import Recorded, read_recorded
from ies_mm.report.reading.runs import Run, read_run
from paper_experiments.panels import Panel
from paper_experiments.scale import Scale
from paper_experiments.trainings import Training

METRIC = 'accuracy/top1'
METRICS = dict(voc07='pascal_voc/mAP', voc12='mIoU')
"""The metrics of datasets that have another one."""

YES, NO, OPEN = 'yes', 'no', 'inconclusive'


def verdict(holds: bool | None, seeds: int | None = None) -> str:
    """Put a verdict into words.

    Args:
        holds (bool, optional): Whether the claim holds; None if the runs
            cannot tell.
        seeds (int, optional): Number of seeds, for claims that depend on the
            seed, like accuracies: one seed cannot tell. Defaults to None, for
            claims that do not.
    """
    if holds is None or seeds == 1:
        return OPEN
    return YES if holds else NO


@dataclass(frozen=True)
class Claim:
    """A claim of the paper, compared with these runs.

    Attributes:
        says (str): The claim, and how it is measured.
        paper (str): The paper's figure.
        ours (str): Our figure.
        holds (str): :data:`YES`, :data:`NO` or :data:`OPEN`.
    """

    says: str
    paper: str
    ours: str
    holds: str


@dataclass(frozen=True)
class Found:
    """The results of an experiment.

    Attributes:
        claims (list of Claim): The paper's claims.
        panels (list of Panel): The panels of a figure.
        table (str): The Markdown of a table.
    """

    claims: list[Claim]
    panels: list[Panel] = field(default_factory=list)
    table: str = ''


class Runs:
    """The finished runs of an experiment, read on demand.

    Args:
        scale (Scale): Scale of the runs.
        folders (dict): Training -> the folders of its seeds.
    """

    def __init__(
        self, scale: Scale, folders: dict[Training, list[Path]]
    ) -> None:
        self.scale = scale
        self._folders = folders

    @cached_property
    def _read(self) -> dict[Training, list[Run]]:
        return {
            training: [read_run(path) for path in paths]
            for training, paths in self._folders.items()
        }

    def of(self, training: Training) -> list[Run]:
        """The runs, one for each seed."""
        return self._read[training]

    def recorded(self, training: Training) -> list[Recorded]:
        """The losses of all epochs, for each seed."""
        return [read_recorded(path) for path in self._folders[training]]

    def paths(self, training: Training) -> list[Path]:
        """The work directories, one for each seed."""
        return self._folders[training]


@dataclass(frozen=True)
class Experiment:
    """A figure or a table of the paper.

    Attributes:
        name (str): Name on the command line.
        title (str): What it shows.
        trainings (callable): Scale -> all trainings that it needs.
        read (callable): Their runs -> the results.
        columns (int): Panels per row. Defaults to 2.
        differs (str): How its settings differ from the paper's at either
            scale. Defaults to nothing.
        no_small (str): Why there is no small setting. Defaults to nothing:
            there is one.
    """

    name: str
    title: str
    trainings: Callable[[Scale], Sequence[Training]]
    read: Callable[[Runs], Found]
    columns: int = 2
    differs: str = ''
    no_small: str = ''

    def seeds(self, scale: Scale) -> range:
        """Seeds of each of its trainings."""
        return range(scale.seeds.get(self.name, 1))


def share_excluded(run: Run) -> float:
    """The share of all planned instance-epochs that was excluded.

    If training ends because every image is mastered, the rest counts as
    excluded.
    """
    if not run.records:
        return 0.0
    planned = run.progress.planned * run.records[0]['instances']
    return 1 - run.total('trained') / planned


def accuracies(run: Run, metric: str = METRIC) -> list[float]:
    """Validation accuracies, in percent.

    Raises:
        ConfigError: There was no validation.
    """
    return list(validations(run, metric).values())


def last_accuracies(runs: Sequence[Run], metric: str = METRIC) -> list[float]:
    """The last validation accuracy of each run, in percent."""
    return [accuracies(run, metric)[-1] for run in runs]


def validations(run: Run, metric: str = METRIC) -> dict[int, float]:
    """Epoch -> the metric at its validation.

    Raises:
        ConfigError: There was no validation.
    """
    values = run.points.get(metric, {})
    if not values:
        raise ConfigError(f'{run.work_dir} has no {metric}')
    return dict(values)


def bounds(differences: NDArray[np.float64]) -> tuple[float, float]:
    """The 95% confidence interval of their mean, by Student's t.

    A single difference has none: from minus to plus infinity.
    """
    seeds, mean = len(differences), float(differences.mean())
    if seeds == 1:
        return -math.inf, math.inf
    error = float(differences.std(ddof=1)) / seeds**0.5
    # Not stats.t.interval, which is NaN if all differences are equal.
    width = error * float(stats.t.ppf(0.975, seeds - 1))
    return mean - width, mean + width


def exceeds(
    differences: NDArray[np.float64], least: float = 0.0
) -> bool | None:
    """Whether the mean difference is above ``least``.

    None if the 95% interval includes it, as with one seed.
    """
    low, high = bounds(differences)
    if low <= least <= high:
        return None
    return low > least


def interval(differences: NDArray[np.float64]) -> str:
    """Mean and 95% confidence interval; one difference has none."""
    mean = f'{float(differences.mean()):+.2f}'
    if len(differences) == 1:
        return f'{mean} (one seed)'
    low, high = bounds(differences)
    return f'{mean} ({low:+.2f} to {high:+.2f})'


def spread(values: Sequence[float], form: str = '.1f') -> str:
    """Mean and sample standard deviation in words; one value has none."""
    mean = format(float(np.mean(values)), form)
    if len(values) == 1:
        return mean
    return f'{mean} ± {format(float(np.std(values, ddof=1)), form)}'
