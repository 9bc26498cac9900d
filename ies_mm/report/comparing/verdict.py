"""One sentence on what a comparison shows, and on what it cannot show."""

from collections.abc import Iterable, Iterator, Sequence

from ies_mm.report.comparing.controls import (
    controls_of,
    full_epochs,
    saved_share,
)
from ies_mm.report.comparing.differences import Difference, sign_of
from ies_mm.report.comparing.groups import Group
from ies_mm.report.comparing.notes import Row
from ies_mm.report.reading.methods import PLAIN, RANDOM, SHORT

LEAST_SAVED = 0.01
"""Below this, no shorter run is asked for."""

WORDS = {
    PLAIN: 'the full plain run',
    SHORT: 'a plain run of equal compute ({})',
    RANDOM: 'random pruning of as many images',
}


def verdict_on(rows: Sequence[Row]) -> str:
    """Compare the method with the highest last metric with each control.

    Its intervals are corrected for having picked the best of several.

    Args:
        rows (sequence of Row): All groups.

    Returns:
        str: The verdict; '' if no method has a metric.
    """
    judged = [row for row in rows if _is_judged(row)]
    if not judged:
        return ''
    best = max(judged, key=lambda row: row.figures.last.mean)  # type: ignore
    found = {d.kind: d for d in best.differences}
    parts = [
        _against(found[kind], WORDS[kind], len(judged))
        for kind in (SHORT, RANDOM, PLAIN)
        if kind in found
    ]
    head = 'Best method by last metric'
    if len(judged) == 1:
        head = 'The method'
    # Not figures.saved: smaller images save compute without pruning any.
    saved = 1 - best.figures.compute.mean
    text = f'{head}: {best.group.label}, {saved:.0%} saved'
    if parts:
        text += '. Difference in the last metric: ' + '; '.join(parts)
    more = (*_shortening(rows, found), *_lacking(best, rows, found))
    return f'{text}.' + ''.join(f' {what}.' for what in more)


def _is_judged(row: Row) -> bool:
    group = row.group
    control = group.method == PLAIN or group.is_short or group.is_random
    known = group.finished and row.figures.last is not None
    return known and not control and row.figures.compute.mean < 1


def _against(difference: Difference, control: str, methods: int) -> str:
    seeds, text = len(difference.by_seed), difference.text
    mean, control = text(difference.mean), control.format(difference.control)
    interval = difference.interval_among(methods)
    if interval is None:
        return f'{mean} (one seed) from {control}'
    low, high = map(text, interval)
    picked = f' for the best of {methods}' if methods > 1 else ''
    words = {1: 'above', -1: 'below', 0: 'not distinguishable'}
    return (
        f'{mean} (95% interval{picked} {low} to {high}, {seeds} seeds) from '
        f'{control}, {words[sign_of(interval)]}'
    )


def _shortening(
    rows: Sequence[Row], found: dict[str, Difference]
) -> Iterator[str]:
    """What the shorter training lost, which is what a method may win back."""
    short = found[SHORT].control if SHORT in found else None
    for row in rows:
        for difference in row.differences:
            if row.group.label != short or difference.kind != PLAIN:
                continue
            text = _against(difference, WORDS[PLAIN], 1)
            if difference.sign >= 0 and difference.interval:
                text += ': unless more seeds show a loss, train shorter'
            yield f'Training shorter instead: {text}'


def _lacking(
    row: Row, rows: Sequence[Row], found: dict[str, Difference]
) -> Iterator[str]:
    if all(run.seed is None for run in row.group.runs):
        yield (
            'Runs without a seed are not paired with their controls: add '
            '--seed 0, --seed 1, ... to their commands'
        )
        return
    seeds = [len(difference.by_seed) for difference in found.values()]
    if max(seeds or [len(row.group.runs)]) == 1:
        yield 'One seed shows nothing: train three or more'
    groups = [other.group for other in rows]
    for kind, trained in controls_of(row.group, groups):
        if kind in found:
            continue
        if trained:
            yield _unpaired(trained[0], row.group)
        elif kind != SHORT or _can_be_shortened(row):
            yield _untrained(kind, row)


def _unpaired(control: Group, group: Group) -> str:
    """Why a control that was trained is not paired."""
    seeds, own = ({run.seed for run in g.runs} for g in (control, group))
    if seeds == {None}:
        return f'The runs of {control.label} have no seed: add --seed'
    if seeds & own:
        return f'{control.label} has no last metric'
    return (
        f'{control.label} was trained with other seeds than {group.label} '
        f'({_listed(seeds)} and {_listed(own)}), so they are not paired'
    )


def _listed(seeds: Iterable[int | None]) -> str:
    return ', '.join(sorted(map(str, seeds)))


def _untrained(kind: str, row: Row) -> str:
    """A control that is missing, with the command that trains it."""
    saved, length = saved_share(row.group), row.group.runs[0].length
    if kind == PLAIN:
        what, command = 'full plain run', _plain(row, length)
    elif kind == SHORT:
        what = 'plain training of equal compute'
        command = _plain(row, 1 - saved)
    else:
        what = 'random pruning of as many images'
        command = (
            'ies-mm train CONFIG --method random_removal --cfg-options '
            f'default_hooks.ies.saved={saved:.2g}'
        )
    return f'No {what} to compare with: {command}'


def _can_be_shortened(row: Row) -> bool:
    """Whether a run of its compute has fewer epochs than the full one."""
    saved, epochs = saved_share(row.group), full_epochs(row.group)
    if saved < LEAST_SAVED:
        return False
    return epochs is None or epochs * saved > 0.5


def _plain(row: Row, length: float) -> str:
    """The command of a plain training.

    Args:
        row (Row): Of the method.
        length (float): Relative to the comparison's full training.
    """
    length *= row.group.runs[0].full_length
    options = '' if length == 1 else f' --length {length:.2g}'
    return f'ies-mm train PLAIN_CONFIG{options}'
