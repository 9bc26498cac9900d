"""One sentence on what a comparison shows, and on what it cannot show."""

from collections.abc import Iterator, Sequence

from ies_mm.report.comparing.differences import Difference
from ies_mm.report.comparing.notes import Row
from ies_mm.report.reading.methods import PLAIN, RANDOM, SHORT

LEAST_SAVED = 0.01
"""Below this, no shorter training is asked for."""

WORDS = {
    PLAIN: 'the full plain training',
    SHORT: 'a plain training of equal compute',
    RANDOM: 'random removal of as many images',
}


def verdict_on(rows: Sequence[Row]) -> str:
    """Compare the method with the highest last metric with each control.

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
        _against(found[kind], WORDS[kind])
        for kind in (SHORT, RANDOM, PLAIN)
        if kind in found
    ]
    head = 'Best method by last metric'
    if len(judged) == 1:
        head = 'The method'
    saved = 1 - best.figures.compute.mean
    text = f'{head}: {best.group.label}, {saved:.0%} saved'
    if parts:
        text += '. Difference in the last metric: ' + '; '.join(parts)
    return f'{text}.' + ''.join(f' {what}.' for what in _lacking(best, found))


def _is_judged(row: Row) -> bool:
    control = row.group.method in (PLAIN, RANDOM) or row.group.is_short
    known = row.group.finished and row.figures.last is not None
    return known and not control and row.figures.compute.mean < 1


def _against(difference: Difference, control: str) -> str:
    seeds, text = len(difference.by_seed), difference.text
    mean = text(difference.mean)
    if difference.interval is None:
        return f'{mean} (one seed) from {control}'
    low, high = difference.interval
    words = {1: 'above', -1: 'below', 0: 'not distinguishable'}
    return (
        f'{mean} (95% interval {text(low)} to {text(high)}, {seeds} seeds) '
        f'from {control}, {words[difference.sign]}'
    )


def _lacking(row: Row, found: dict[str, Difference]) -> Iterator[str]:
    if all(run.seed is None for run in row.group.runs):
        yield (
            'Runs without a seed are not paired with their controls: set '
            'randomness.seed'
        )
        return
    seeds = [len(difference.by_seed) for difference in found.values()]
    if not seeds or max(seeds) == 1:
        yield 'One seed shows nothing: train three or more'
    share = row.figures.compute.mean
    length = share * row.group.runs[0].full_length
    if SHORT not in found and 1 - share >= LEAST_SAVED:
        yield (
            'No plain training of equal compute to compare with: '
            f'ies-mm train PLAIN_CONFIG --length {length:.2g}'
        )
    if RANDOM not in found:
        yield (
            'No random removal of as many images to compare with: '
            'ies-mm train CONFIG --method random_removal'
        )
