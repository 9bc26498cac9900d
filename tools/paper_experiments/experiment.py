"""What an experiment is, and what is read off its runs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from ies_mm.errors import ConfigError
from ies_mm.report.calibrating.recorded import Recorded, read_recorded
from ies_mm.report.reading.runs import Run, read_run
from paper_experiments.panels import Panel
from paper_experiments.scales import Scale
from paper_experiments.trainings import Training

METRIC = 'accuracy/top1'
YES, NO, OPEN = 'yes', 'no', 'cannot be said'


def verdict(holds: bool | None, seeds: int | None = None) -> str:
    """In words.

    Args:
        holds (bool, optional): None where the runs cannot tell.
        seeds (int, optional): Of what depends on them, as an accuracy does:
            one seed cannot tell. Defaults to None, it does not.
    """
    if holds is None or seeds == 1:
        return OPEN
    return YES if holds else NO


@dataclass(frozen=True)
class Claim:
    """A statement of the paper beside what these runs say of it.

    Attributes:
        says (str): What the paper says, with the measure of it.
        paper (str): Its figure.
        ours (str): Ours.
        holds (str): :data:`YES`, :data:`NO` or :data:`OPEN`.
    """

    says: str
    paper: str
    ours: str
    holds: str


@dataclass(frozen=True)
class Found:
    """What was read off the runs.

    Attributes:
        claims (list of Claim): Of the paper.
        panels (list of Panel): Of a figure.
        table (str): Markdown, of a table.
    """

    claims: list[Claim]
    panels: list[Panel] = field(default_factory=list)
    table: str = ''


class Runs:
    """The finished runs of an experiment, read when they are asked for.

    Args:
        scale (Scale): Theirs.
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
        """One for each seed."""
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
        name (str): On the command line.
        title (str): What it shows.
        trainings (callable): Scale -> all that it needs.
        read (callable): Their runs -> what was found.
        columns (int): Panels in a row. Defaults to 2.
        differs (str): How its settings differ from the paper's at either
            scale. Defaults to nothing.
    """

    name: str
    title: str
    trainings: Callable[[Scale], Sequence[Training]]
    read: Callable[[Runs], Found]
    columns: int = 2
    differs: str = ''

    def seeds(self, scale: Scale) -> range:
        """Of each of its trainings."""
        return range(scale.seeds.get(self.name, 1))


def share_excluded(run: Run) -> float:
    """Of all instance-epochs that were planned.

    A training that ends because every image is mastered excludes the rest.
    """
    if not run.records:
        return 0.0
    planned = run.progress.planned * run.records[0]['instances']
    return 1 - run.total('trained') / planned


def accuracies(run: Run) -> list[float]:
    """Of the validations, in percent.

    Raises:
        ConfigError: There was none.
    """
    values = list(run.points.get(METRIC, {}).values())
    if not values:
        raise ConfigError(f'{run.work_dir} has no {METRIC}')
    return values
