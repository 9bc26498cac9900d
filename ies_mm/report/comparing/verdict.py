"""One sentence on what a comparison shows, and on what it cannot show."""

from collections.abc import Iterator, Sequence

from ies_mm.report.comparing.controls import full_epochs, saved_share
from ies_mm.report.comparing.differences import Difference, sign_of
from ies_mm.report.comparing.notes import Row
from ies_mm.report.reading.methods import PLAIN, RANDOM, SHORT

LEAST_SAVED = 0.01
"""Below this, no shorter training is asked for."""

WORDS = {
    PLAIN: 'the full plain training',
    SHORT: 'a plain training of equal compute ({})',
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
    return f'{text}.' + ''.join(f' {what}.' for what in _lacking(best, found))


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


def _lacking(row: Row, found: dict[str, Difference]) -> Iterator[str]:
    if all(run.seed is None for run in row.group.runs):
        yield (
            'Runs without a seed are not paired with their controls: add '
            '--seed 0, --seed 1, ... to their commands'
        )
        return
    seeds = [len(difference.by_seed) for difference in found.values()]
    if max(seeds or [len(row.group.runs)]) == 1:
        yield 'One seed shows nothing: train three or more'
    if PLAIN not in found:
        length = row.group.runs[0].length
        yield f'No full plain training to compare with: {_plain(row, length)}'
    if SHORT not in found and _can_be_shortened(row):
        length = 1 - saved_share(row.group)
        yield (
            'No plain training of equal compute to compare with: '
            f'{_plain(row, length)}'
        )
    if RANDOM not in found:
        yield (
            'No random pruning of as many images to compare with: '
            'ies-mm train CONFIG --method random_removal'
        )


def _can_be_shortened(row: Row) -> bool:
    """Whether a training of its compute has fewer epochs than the full one."""
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
