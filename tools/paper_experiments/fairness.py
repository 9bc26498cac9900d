"""Table 14: accuracy, recall and parity by group."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from paper_experiments.experiment import (
    Claim,
    Found,
    Runs,
    exceeds,
    last_accuracies,
    spread,
    verdict,
)
from paper_experiments.scale import Scale
from paper_experiments.trainings import ADAM, Training, ies, plain

GROUPS = 'groups'
NAMES = {'small': ('reddish', 'untinted'), 'paper': ('Male', 'not_Male')}
"""The groups, in the order of the table."""

PARITY = 'group/demographic_parity_difference'
PAPER = {
    'No Removal': (82.5, 83.8, 68.2, 81.6, 90.6, 0.4613),
    'IES': (82.4, 83.4, 58.9, 81.8, 87.0, 0.4544),
}


def pair(scale: Scale) -> dict[str, Training]:
    """The trainings by their names in the table."""
    same: dict[str, Any] = dict(data=GROUPS, setting=ADAM)
    return {
        'No Removal': plain(**same),
        'IES': ies(scale.delta, **same),
    }


def table14(runs: Runs) -> Found:
    """Read Table 14: the measures overall and of both groups."""
    first, second = NAMES[runs.scale.name]
    ours = {
        name: [
            last_accuracies(runs.of(training), key)
            for key in _keys(first, second)
        ]
        for name, training in pair(runs.scale).items()
    }
    head = [
        'overall',
        *(
            f'{group}: {measure}'
            for group in (first, second)
            for measure in ('accuracy', 'recall')
        ),
        'parity difference',
    ]
    lines = [
        f'| | {" | ".join(head)} |',
        '|---' * (len(head) + 1) + '|',
        *(_row(f'paper, {name}', [[x] for x in PAPER[name]]) for name in ours),
        *(_row(f'ours, {name}', values) for name, values in ours.items()),
    ]
    saved = [run.saved for run in runs.of(pair(runs.scale)['IES'])]
    lines += ['', f'IES saves {float(np.mean(saved)):.1%}.']
    return Found([_claim(ours)], table='\n'.join(lines))


def _keys(first: str, second: str) -> list[str]:
    groups = (first, second)
    each = [f'group/{g}/{m}' for g in groups for m in ('accuracy', 'recall')]
    return ['group/accuracy', *each, PARITY]


def _row(name: str, values: Sequence[Sequence[float]]) -> str:
    *percent, parity = values
    cells = [*map(spread, percent), spread(parity, '.4f')]
    return f'| {name} | {" | ".join(cells)} |'


def _claim(ours: dict[str, list[list[float]]]) -> Claim:
    base, own = (ours[name][-1] for name in ('No Removal', 'IES'))
    return Claim(
        'the parity difference is smaller with IES',
        '0.4544 against 0.4613',
        f'{spread(own, ".4f")} against {spread(base, ".4f")}',
        verdict(exceeds(np.subtract(base, own))),
    )
