"""A run, as read from its work directory."""

from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

from ies_mm.errors import ConfigError
from ies_mm.report.earlier import EPOCHS
from ies_mm.report.reading.class_table import named_classes
from ies_mm.report.reading.methods import (
    PLAIN,
    hook_of,
    is_dry_run,
    is_selected,
    length_of,
    method_of,
    seed_of,
)
from ies_mm.report.reading.parts import Part, read_parts, start_folders
from ies_mm.report.reading.progress import Progress, progress_of
from ies_mm.report.reading.records import checked_records, unrecorded
from ies_mm.report.reading.run_notes import run_notes
from ies_mm.report.reading.validation import Points, validation_points
from ies_mm.report.records import END


@dataclass(frozen=True)
class Run:
    """A run.

    Attributes:
        work_dir (Path): Work directory, as given.
        config (dict): Config of its newest start.
        method (str): ``plain``, or the method in its records.
        selected (bool): Whether a method selects its training images.
        dry_run (bool): Whether it was a dry run, which prunes nothing.
        records (list of dict): The lines of ``ies/epochs.jsonl``.
        points (dict): Metric -> step -> value.
        progress (Progress): How far it has come.
        starts (int): 1 plus the number of times it was resumed.
        total_seconds (float, optional): Wall time, if the log has it.
        validation_seconds (float): Wall time of the validations.
        validated_at (list of float): Wall time without validations at each
            of them; empty if the run has several parts.
        classes (dict): Class -> its value at the last validation, if the
            evaluator printed it.
        notes (list of str): Notes to the reader.
        full_length (float): ``--length`` of the comparison's full training;
            ``length`` is relative to it. Defaults to 1.
        stops_like_all (bool): Whether early stopping is a part of all
            trainings, not a method. Defaults to False.
        trained_share (float): Epochs trained until then, as a share of those
            that a plain run of its length trains. Defaults to 1.
    """

    work_dir: Path
    config: dict[str, Any]
    method: str
    selected: bool
    dry_run: bool
    records: list[dict[str, Any]]
    points: Points
    progress: Progress
    starts: int
    total_seconds: float | None
    validation_seconds: float
    validated_at: list[float]
    classes: dict[str, float]
    notes: list[str] = field(default_factory=list)
    full_length: float = 1.0
    stops_like_all: bool = False
    trained_share: float = 1.0

    @property
    def length(self) -> float:
        """Its length as a share of the full training's."""
        return length_of(self.config)

    @property
    def seed(self) -> int | None:
        """The seed that the config asks for."""
        return seed_of(self.config)

    @property
    def ended_early(self) -> bool:
        """Whether its method ended it after fewer epochs than planned."""
        found = self.progress
        # An iteration-based loop ends early because samples were pruned.
        by_epoch = found.unit == 'epoch'
        early = by_epoch and found.finished and found.done < found.planned
        return early and not self.stops_like_all

    @property
    def saved(self) -> float:
        """Share of the planned instance-epochs that it did not train.

        Wrong if its last epochs have no records; see ``known_saved``.
        """
        pruned = float(self.records[-1]['saved']) if self.records else 0.0
        if not self.ended_early:
            return pruned
        return 1 - (1 - pruned) * self.progress.done / self.progress.planned

    @property
    def known_saved(self) -> float | None:
        """What it saved; None if its last epochs have no records."""
        cut = self.selected and unrecorded(self.records, self.progress)
        return None if cut else self.saved

    @property
    def pixels(self) -> float:
        """Mean size of the trained images, as a share of the full size."""
        shares = [record.get('pixels', 1.0) for record in self.records]
        return fmean(shares) if shares else 1.0

    @property
    def compute(self) -> float | None:
        """Trained pixels, as a share of a run on all images at full size.

        This is 1 - saved, except for methods that train on smaller images,
        and where all runs stop early. None if ``known_saved`` is.
        """
        if self.known_saved is None:
            return None
        return (1 - self.known_saved) * self.pixels * self.trained_share

    @property
    def training_wall(self) -> float | None:
        """Wall time without validations, known for plain runs as well."""
        if self.total_seconds is None:
            return None
        return self.total_seconds - self.validation_seconds

    @property
    def effective_epochs(self) -> float | None:
        """Trained passes over the data; None without records."""
        if not self.records:
            return None
        return self.total('trained') / float(self.records[0]['instances'])

    def total(self, key: str) -> float:
        """A sum over the records."""
        return float(sum(record[key] for record in self.records))


def read_run(work_dir: Path) -> Run:
    """Read a work directory.

    Raises:
        ConfigError: It does not exist, cannot be read, or contains no run.
    """
    try:
        return _run(work_dir, read_parts(work_dir))
    except FileNotFoundError as error:
        raise ConfigError(
            f'there is no {error.filename}; give the work_dir of a run'
        ) from error
    except OSError as error:
        raise ConfigError(
            f'{work_dir} cannot be read: {error.strerror} '
            f'({error.filename}); make it readable, or leave the run out'
        ) from error


def is_comparison(folder: Path) -> bool:
    """Whether the folder contains a comparison and no run.

    By default it is next to the runs, so ``work_dirs/*`` matches it.
    """
    try:
        written = (folder / 'compare.json').exists()
        return written and not start_folders(folder)
    except OSError:
        return False


def _run(work_dir: Path, parts: list[Part]) -> Run:
    _check_one_training(work_dir, parts)
    newest = parts[-1].config
    recorded = (work_dir / 'ies' / EPOCHS).exists()
    selected = is_selected(newest, recorded)
    records = checked_records(work_dir) if selected else []
    points = validation_points(parts)
    ended = selected and (work_dir / 'ies' / END).exists()
    progress = progress_of(parts[-1], points, records, ended)
    return Run(
        work_dir=work_dir,
        config=_as_started(parts),
        method=method_of(newest, selected, records),
        selected=selected,
        dry_run=is_dry_run(newest),
        records=records,
        points=points,
        progress=progress,
        starts=len(parts),
        total_seconds=_total_seconds(parts),
        validation_seconds=sum(p.log.validation_seconds for p in parts),
        validated_at=parts[0].log.validated_at if len(parts) == 1 else [],
        classes=named_classes(newest, parts[-1].log.classes),
        notes=run_notes(work_dir, parts, selected, records, progress),
    )


def _check_one_training(work_dir: Path, parts: list[Part]) -> None:
    """Refuse a run that was resumed as another training.

    Raises:
        ConfigError: Its method or its seed changed.
    """
    for what, found in (
        ('method', [hook_of(part.config) or PLAIN for part in parts]),
        ('seed', [seed_of(part.config) for part in parts]),
    ):
        # A resumed run may leave out its seed.
        known = [value for value in found if value is not None]
        if len({*known}) > 1:
            raise ConfigError(
                f'{work_dir} was resumed with another {what}: '
                f'{", then ".join(map(str, known))}; its result belongs to '
                'neither, so leave it out'
            )


def _as_started(parts: list[Part]) -> dict[str, Any]:
    """The newest config, with the weights that the run started from."""
    first = parts[0]
    # `--resume CKPT` sets load_from, which would separate the run from the
    # other seeds of its group.
    weights = None if first.resumed else first.config.get('load_from')
    config = parts[-1].config | {'load_from': weights}
    if seed_of(config) is None:
        config['randomness'] = first.config.get('randomness')
    return config


def _total_seconds(parts: list[Part]) -> float | None:
    seconds = [part.log.seconds for part in parts]
    known = [value for value in seconds if value is not None]
    if len(known) < len(seconds) or parts[0].begins_late:
        return None
    return sum(known)
