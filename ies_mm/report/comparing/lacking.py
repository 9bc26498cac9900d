"""What a comparison lacks for a verdict, with the commands that train it."""

from collections.abc import Iterable, Iterator, Sequence

from ies_mm.report.comparing.controls import (
    AS_MUCH,
    controls_of,
    full_epochs,
)
from ies_mm.report.comparing.differences import LEAST_SEEDS
from ies_mm.report.comparing.groups import Group
from ies_mm.report.comparing.notes import Row
from ies_mm.report.reading.methods import PLAIN, RANDOM, SHORT

LEAST_SAVED = 0.01
"""Below this, no shorter run is asked for."""


def lacking(row: Row, rows: Sequence[Row]) -> Iterator[str]:
    """Name missing seeds and controls.

    Args:
        row (Row): The method that the verdict is on.
        rows (sequence of Row): All groups.
    """
    if all(run.seed is None for run in row.group.runs):
        yield (
            'Runs without a seed are not paired with their controls: add '
            '`--seed 0`, `--seed 1`, ... to their commands.'
        )
        return
    if row.seeds < LEAST_SEEDS:
        few = 'One seed shows' if row.seeds == 1 else 'Two seeds show'
        yield f'{few} nothing: train three or more.'
    known = {difference.kind for difference in row.differences}
    groups = [other.group for other in rows]
    for kind, trained in controls_of(row.group, groups):
        if kind in known:
            continue
        if trained:
            yield _unpaired(trained[0], row.group)
        elif stopped := _stopped_otherwise(kind, row.group, groups):
            yield (
                f'{stopped.label}: as many images pruned, but early stopping '
                'ended it after other epochs, so their compute differs.'
            )
        elif kind != SHORT or _can_be_shortened(row):
            yield _untrained(kind, row)


def _stopped_otherwise(
    kind: str, group: Group, groups: Sequence[Group]
) -> Group | None:
    """The random pruning that would match if all had stopped together."""
    saved = group.runs[0].known_saved or 0.0
    for other in groups:
        run = other.runs[0]
        near = abs((run.known_saved or 0.0) - saved) <= AS_MUCH
        if other.is_random_control and run.stops_like_all and near:
            return other if kind == RANDOM else None
    return None


def _unpaired(control: Group, group: Group) -> str:
    """Why a control that was trained is not paired."""
    seeds, own = ({run.seed for run in g.runs} for g in (control, group))
    if seeds == {None}:
        return f'The runs of {control.label} have no seed: add `--seed`.'
    if seeds & own:
        return f'{control.label} has no last metric.'
    return (
        f'{control.label} was trained with other seeds than {group.label} '
        f'({_listed(seeds)} and {_listed(own)}), so they are not paired.'
    )


def _listed(seeds: Iterable[int | None]) -> str:
    known = sorted(seed for seed in seeds if seed is not None)
    return ', '.join([*map(str, known), *(['None'] if None in seeds else [])])


def _untrained(kind: str, row: Row) -> str:
    """A control that is missing, with the command that trains it."""
    length = row.group.runs[0].length
    if kind == PLAIN:
        what, command = 'full plain run', _plain(row, length)
    elif kind == SHORT:
        what = 'plain training of equal compute'
        command = _plain(row, length * row.compute)
    else:
        what = 'random pruning of as many images'
        command = (
            f'ies-mm train CONFIG --method random_removal'
            f'{_length_option(row, length)} --cfg-options '
            f'default_hooks.ies.saved={1 - row.compute:.2g}'
        )
    return f'No {what} to compare with: `{command}`.'


def _can_be_shortened(row: Row) -> bool:
    """Whether a run of its compute has fewer epochs than the full one."""
    saved = 1 - row.group.runs[0].length * row.compute
    epochs = full_epochs(row.group)
    if saved < LEAST_SAVED:
        return False
    return epochs is None or epochs * saved > 0.5


def _plain(row: Row, length: float) -> str:
    """The command of a plain training.

    Args:
        row (Row): Of the method.
        length (float): Relative to the comparison's full training.
    """
    return f'ies-mm train PLAIN_CONFIG{_length_option(row, length)}'


def _length_option(row: Row, length: float) -> str:
    length = round(length * row.group.runs[0].full_length, 3)
    return '' if length == 1 else f' --length {length:g}'
