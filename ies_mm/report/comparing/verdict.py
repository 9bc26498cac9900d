"""The verdict on what a comparison shows, and on what it cannot show."""

from collections.abc import Iterator, Sequence

from ies_mm.report.comparing.differences import LEAST_SEEDS, Difference
from ies_mm.report.comparing.lacking import lacking
from ies_mm.report.comparing.notes import Row
from ies_mm.report.reading.methods import PLAIN, RANDOM, SHORT

WORDS = {
    PLAIN: 'the full plain run',
    SHORT: 'a plain run of equal compute ({})',
    RANDOM: 'random pruning of as many images',
}
SIGNS = {
    1: 'above',
    -1: 'below',
    0: 'not distinguishable',
    None: 'too few seeds to tell',
}


def verdict_on(rows: Sequence[Row]) -> list[str]:
    """Compare the method with the highest last metric with each control.

    A method with fewer than three seeds gives way to one with more. The
    intervals are corrected for having picked the best of several.

    Args:
        rows (sequence of Row): All groups.

    Returns:
        list of str: Sentences, with commands in backticks; empty if no method
        has a metric.
    """
    judged = [row for row in rows if _is_judged(row)]
    if not judged:
        return []
    best = max(judged, key=lambda row: (_weight(row), _mean(row)))
    found = {d.kind: d for d in best.differences}
    parts = [
        f'{_against(found[kind], WORDS[kind], len(judged))}.'
        for kind in (SHORT, RANDOM, PLAIN)
        if kind in found
    ]
    return [
        _head(best, len(judged), bool(parts)),
        *parts,
        *_with_fewer_seeds(best, judged),
        *_shortening(rows, found),
        *lacking(best, rows),
    ]


def _is_judged(row: Row) -> bool:
    group = row.group
    control = group.method == PLAIN or group.is_short or group.is_random
    known = group.finished and row.figures.last is not None
    return known and not control and row.saves


def _weight(row: Row) -> tuple[int, int]:
    # One paired seed shows no more than none.
    paired = max(1, min(row.paired, LEAST_SEEDS))
    own = {run.seed for run in row.group.runs}
    return paired, min(len(own), LEAST_SEEDS)


def _mean(row: Row) -> float:
    return row.figures.last.mean if row.figures.last else 0.0


def _head(best: Row, methods: int, compared: bool) -> str:
    name = 'The method' if methods == 1 else 'Best method by last metric'
    # Not figures.saved: smaller images save compute without pruning any.
    saved = 1 - best.compute
    more = ' Difference in the last metric:' if compared else ''
    return f'{name}: {best.group.label}, {saved:.0%} saved.{more}'


def _against(difference: Difference, control: str, methods: int) -> str:
    mean, control = (
        difference.text(difference.mean),
        control.format(difference.control),
    )
    seeds, interval = difference.seeds, difference.interval_among(methods)
    if interval is None:
        alike = 'the same in ' if len(difference.by_seed) > 1 else ''
        return f'{mean} ({alike}{seeds}) from {control}'
    low, high = map(difference.text, interval)
    picked = f', corrected for the best of {methods}' if methods > 1 else ''
    sign = SIGNS[difference.sign_among(methods)]
    return (
        f'{mean} (95% interval {low} to {high}{picked}; {seeds}) from '
        f'{control}, {sign}'
    )


def _with_fewer_seeds(best: Row, judged: Sequence[Row]) -> Iterator[str]:
    """Name the methods that are higher, but not to be relied on."""
    for row in judged:
        if _mean(row) > _mean(best):
            yield (
                f'{row.group.label} has a higher mean, but fewer seeds in '
                f'common with its controls ({row.paired}).'
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
            if difference.sign_among(1) in (0, 1):
                text += ': unless more seeds show a loss, train shorter'
            yield f'Training shorter instead: {text}.'
