"""A diagnosis as text and as JSON."""

import dataclasses
import json
import math

from ies_mm.core.lengths import ORDERS
from ies_mm.report.calibrating.diagnosis import QUANTILES, Diagnosis
from ies_mm.report.calibrating.measures import NOISE
from ies_mm.report.calibrating.noise import ALL
from ies_mm.report.columns import line, widths_of
from ies_mm.report.values import finite


def table(diagnosis: Diagnosis) -> str:
    """Format all figures and what they mean."""
    parts = [_course(diagnosis), _variations(diagnosis)]
    parts.append(diagnosis.missing or _foresight(diagnosis))
    parts.append(_settings(diagnosis))
    if diagnosis.noise is not None:
        parts.append(_noise(diagnosis))
    parts.append(advice(diagnosis))
    return '\n\n'.join(parts)


def as_json(diagnosis: Diagnosis) -> bytes:
    """The figures; NaN becomes null."""
    noise = diagnosis.noise
    content = {
        'criterion': dataclasses.asdict(diagnosis.criterion),
        'epochs': diagnosis.recorded.numbers,
        'quantiles': diagnosis.quantiles.tolist(),
        'variations': dict(
            zip(ORDERS, diagnosis.variations.tolist(), strict=True)
        ),
        'foresight': [dataclasses.asdict(f) for f in diagnosis.foresight],
        'ceiling': diagnosis.ceiling,
        'settings': [dataclasses.asdict(s) for s in diagnosis.settings],
        'delta_to_try': diagnosis.tried.delta,
        'noise_floor': noise.floor if noise else None,
        'noise': (
            {k: v.tolist() for k, v in noise.spread.items()} if noise else None
        ),
        'weights': noise.weights(diagnosis.recorded.terms) if noise else {},
        'terms': diagnosis.recorded.terms,
        'missing': diagnosis.missing,
    }
    return json.dumps(finite(content), indent=1).encode()


def advice(diagnosis: Diagnosis) -> str:
    """The delta to try, and how much to expect from it."""
    tried, noise = diagnosis.tried, diagnosis.noise
    delta = f'{tried.delta:.4g}'
    if diagnosis.relative:
        delta = f"dict(type='Relative', factor={delta})"
    lines = [f'delta to try: {delta} (would have saved {tried.saved:.0%})']
    if noise is not None:
        frozen = noise.below(tried.delta)
        lines.append(
            f'With frozen weights, which learn nothing, {frozen:.0%} of the '
            f'images are below it; in the last epoch {tried.last:.0%} '
            'were. The closer the two, the more of what it judges is noise.'
        )
    if diagnosis.missing:
        lines.append(
            'Whether the criterion predicts anything is unknown: compare with '
            'random pruning before you trust a delta.'
        )
        return '\n'.join(lines)
    if not diagnosis.measured:
        lines.append(
            'No decrease that could be predicted was measured: the ceiling, '
            f'{_number(diagnosis.ceiling)}, is not above chance, '
            f'{_number(diagnosis.chance)}, so these correlations say nothing '
            'on the criterion. Compare with random pruning before you trust '
            'a delta.'
        )
        return '\n'.join(lines)
    lines += [
        (
            f'A perfect criterion would correlate with the decrease at '
            f'{_number(diagnosis.best)}, the root of the '
            f'ceiling; this one is at '
            f'{_number(diagnosis.foresight[0].decrease)}, the plain loss at '
            f'{_number(diagnosis.foresight[1].decrease)}. Compare with random '
            'removal before you trust a delta.'
        )
    ]
    return '\n'.join(lines)


def _course(diagnosis: Diagnosis) -> str:
    rows = [['epoch', *(f'{q:.0%}' for q in QUANTILES)]]
    numbers = diagnosis.recorded.numbers
    for epoch in _looked_at(diagnosis):
        values = diagnosis.quantiles[epoch]
        rows.append([str(numbers[epoch]), *(f'{v:.4g}' for v in values)])
    return 'criterion, quantiles over images\n' + _aligned(rows)


def _looked_at(diagnosis: Diagnosis) -> tuple[int, int, int]:
    """The first epoch that can be judged, one in the middle, the last."""
    able = [
        epoch
        for epoch, values in enumerate(diagnosis.quantiles)
        if not math.isnan(values[0])
    ]
    return able[0], able[len(able) // 2], able[-1]


def _variations(diagnosis: Diagnosis) -> str:
    epochs = _looked_at(diagnosis)
    numbers = diagnosis.recorded.numbers
    rows = [['difference', *(f'epoch {numbers[i]}' for i in epochs)]]
    for order, values in zip(ORDERS, diagnosis.variations, strict=True):
        figures = (_number(values[epoch]) for epoch in epochs)
        rows.append([f'order {order}', *figures])
    return (
        'coefficient of variation over images; for pure noise of one size, '
        f'{NOISE:.3f} from order 1 on\n{_aligned(rows)}'
    )


def _foresight(diagnosis: Diagnosis) -> str:
    rows = [['rank correlation', 'itself later', 'decrease', 'rise']]
    for row in diagnosis.foresight:
        figures = (row.persistence, row.decrease, row.rise)
        rows.append([row.name, *map(_number, figures)])
    rows.append(['ceiling', '', _number(diagnosis.ceiling), ''])
    images = diagnosis.recorded.losses.shape[1]
    return (
        f'{_aligned(rows)}\n'
        f'(over {images} images, chance gives up to {diagnosis.chance:.2f}; '
        'a rise is over fewer)'
    )


def _settings(diagnosis: Diagnosis) -> str:
    rows = [['delta', 'saves', 'first', 'last']]
    for one in diagnosis.settings:
        parts = (one.saved, one.first, one.last)
        rows.append([f'{one.delta:.4g}', *(f'{part:.0%}' for part in parts)])
    return 'what a delta would have pruned\n' + _aligned(rows)


def _noise(diagnosis: Diagnosis) -> str:
    noise = diagnosis.noise
    assert noise is not None
    rows = [['standard deviation', *diagnosis.recorded.terms, 'sum']]
    for source, spread in noise.spread.items():
        rows.append([source, *(f'{value:.3g}' for value in spread)])
    rows.sort(key=lambda row: row[0] == ALL)
    weights = noise.weights(diagnosis.recorded.terms)
    if weights:
        rows.append(
            ['inverse variance', *(f'{w:.3g}' for w in weights.values()), '']
        )
    return (
        f'noise of frozen weights; noise floor {noise.floor:.4g}\n'
        + _aligned(rows)
    )


def _aligned(rows: list[list[str]]) -> str:
    lines = [line(row, widths_of(rows)).rstrip() for row in rows]
    return '\n'.join([lines[0], '-' * max(map(len, lines)), *lines[1:]])


def _number(value: float) -> str:
    return '-' if math.isnan(value) else f'{value:.2f}'
