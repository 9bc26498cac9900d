"""The data of a comparison, and its notes to the reader."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ies_mm.report.comparing.controls import EXACT
from ies_mm.report.comparing.differences import Difference
from ies_mm.report.comparing.figures import Figures, SpeedUp, last
from ies_mm.report.comparing.groups import Group, other_settings
from ies_mm.report.reading.methods import PLAIN, RANDOM, SHORT

SETTINGS_NAMED = 4


@dataclass(frozen=True)
class Row:
    """A group with its figures.

    Attributes:
        group (Group): The runs.
        figures (Figures): Means over the runs.
        speed_up (SpeedUp, optional): None without a plain group to compare
            with, and for an unfinished run.
        differences (list of Difference): Differences from each control found.
    """

    group: Group
    figures: Figures
    speed_up: SpeedUp | None
    differences: list[Difference]

    @property
    def compute(self) -> float:
        """Its compute, as a share of a run on all images; 1 if unknown."""
        return self.figures.compute.mean if self.figures.compute else 1.0

    @property
    def saves(self) -> bool:
        """Whether it is known to train less than a run on all images."""
        return self.compute < 1

    @property
    def seeds(self) -> int:
        """Seeds in common with a control; all of its own without one."""
        return self.paired or len({run.seed for run in self.group.runs})

    @property
    def paired(self) -> int:
        """Seeds in common with a control; 0 without one."""
        return max((len(d.by_seed) for d in self.differences), default=0)


@dataclass(frozen=True)
class Comparison:
    """The content of the table, the page and the JSON file.

    Attributes:
        metric (str, optional): The validation metric, higher is better; None
            if no run has been validated yet.
        rows (list of Row): Plain groups first, unfinished runs last.
        notes (list of str): Notes to the reader.
        findings (list of str): The verdict on the best method, and what is
            missing for a stronger one; commands are in backticks.
    """

    metric: str | None
    rows: list[Row]
    notes: list[str]
    findings: list[str]

    @property
    def verdict(self) -> str:
        """The findings as one text."""
        return ' '.join(self.findings)


def notes_on(
    rows: Sequence[Row], repeated: int, metric: str | None = None
) -> list[str]:
    """Collect all notes, the general ones last.

    Args:
        rows (sequence of Row): The rows.
        repeated (int): Number of directories given more than once.
        metric (str, optional): The validation metric. Defaults to None.
    """
    notes = [*_unfinished(rows), *_of_runs(rows), *_same_seeds(rows)]
    notes += [*_no_numbers(rows, metric), *_variants(rows)]
    if repeated:
        notes.append(
            '1 directory was given more than once and is counted once'
            if repeated == 1
            else f'{repeated} directories were given more than once and are '
            'counted once'
        )
    return [
        *notes,
        *_lengths(rows),
        *_smaller_images(rows),
        *_ended_early(rows),
        *_baselines(rows),
        *_beyond_the_limit(rows),
        *_seconds(rows),
    ]


def _unfinished(rows: Sequence[Row]) -> Iterator[str]:
    for row in rows:
        if not row.group.finished:
            run = row.group.runs[0]
            yield f'* unfinished: {run.work_dir}, {run.progress}'


def _of_runs(rows: Sequence[Row]) -> Iterator[str]:
    for row in rows:
        for run in row.group.runs:
            yield from run.notes


def _same_seeds(rows: Sequence[Row]) -> Iterator[str]:
    for row in rows:
        seeds = Counter(run.seed for run in row.group.runs)
        for seed, count in seeds.items():
            if count > 1 and seed is not None:
                yield (
                    f'{row.group.label}: {count} runs have the seed {seed}; '
                    'differences take their mean, and the deviation is not '
                    'only over seeds'
                )


def _no_numbers(rows: Sequence[Row], metric: str | None) -> Iterator[str]:
    for row in rows:
        for run in row.group.runs:
            if run.points.get(metric or '') and last(run, metric) is None:
                yield (
                    f'{row.group.label}: the last metric of seed {run.seed} '
                    'is not a number, so the mean is not given, and no '
                    'difference includes this seed'
                )


def _variants(rows: Sequence[Row]) -> Iterator[str]:
    for row in rows:
        for difference in row.differences:
            if difference.control not in (PLAIN, RANDOM) and not (
                difference.control.startswith(SHORT)
            ):
                yield (
                    f'{row.group.label}: its control for '
                    f'{difference.kind} is {difference.control}'
                )


def _baselines(rows: Sequence[Row]) -> Iterator[str]:
    groups = {row.group.label: row.group for row in rows}
    for row in rows:
        # A shorter training differs in its length and schedule by design.
        if row.speed_up is None or row.group.is_short:
            continue
        plain = groups[row.speed_up.baseline]
        if keys := other_settings(row.group, plain):
            yield (
                f'{row.group.label} is compared with {plain.label}, whose '
                f'config differs not only in the method: {_named(keys)}'
            )


def _lengths(rows: Sequence[Row]) -> Iterator[str]:
    """Say what the lengths in the names of plain runs are relative to."""
    lengths = {run.full_length for row in rows for run in row.group.runs}
    for length in lengths - {1.0}:
        yield (
            f'all lengths are relative to --length {length:.3g}, with which '
            'the methods were trained'
        )


def _smaller_images(rows: Sequence[Row]) -> Iterator[str]:
    for row in rows:
        if row.group.runs[0].pixels < 1 - EXACT:
            yield (
                f'{row.group.label} trained on smaller images: '
                f'{row.compute:.1%} of the pixels of a run at full size, '
                'which is what "of ideal" and the controls are based on'
            )


def _ended_early(rows: Sequence[Row]) -> Iterator[str]:
    for row in rows:
        early = [run for run in row.group.runs if run.ended_early]
        if early:
            epochs = ', '.join(str(run.progress.done) for run in early)
            which, runs = row.group.label, len(row.group.runs)
            if len(early) < runs:
                which = f'{len(early)} of {runs} runs of {which}'
            yield (
                f'{which} ended after {epochs} of '
                f'{early[0].progress.planned} epochs; the epochs not trained '
                'count as saved'
            )


def _beyond_the_limit(rows: Sequence[Row]) -> Iterator[str]:
    found = [row.group.label for row in rows if _is_too_fast(row)]
    if found:
        yield (
            f'faster than the savings allow: {"; ".join(found)}. Something '
            'else slowed the plain runs down, so the speed-up is not only due '
            'to the method'
        )


def _is_too_fast(row: Row) -> bool:
    if not row.speed_up or not row.speed_up.limit:
        return False
    # A shorter training saves by its length.
    limit = row.speed_up.limit / row.group.runs[0].length
    return row.speed_up.factor > limit > 1


def _seconds(rows: Sequence[Row]) -> Iterator[str]:
    if not all(row.group.runs[0].selected for row in rows):
        yield (
            'seconds in brackets: a run without selection does not time its '
            'training parts; this is wall time without validations, including '
            'start-up and saving'
        )
    if any(row.speed_up and row.group.method != PLAIN for row in rows):
        yield (
            'speed-up: wall time without validations, plain / this; valid '
            'only if each run had the same machine to itself'
        )


def _named(keys: Sequence[str]) -> str:
    more = len(keys) - SETTINGS_NAMED
    names = ', '.join(keys[:SETTINGS_NAMED])
    return f'{names} and {more} more' if more > 0 else names
