"""Tables 9, 10 and 11: trainings on noisy labels."""

from collections.abc import Callable

import numpy as np

from ies_mm.report.reading.runs import Run
from paper_experiments.experiment import (
    Claim,
    Found,
    Runs,
    exceeds,
    spread,
    validations,
    verdict,
)
from paper_experiments.scale import Scale
from paper_experiments.trainings import CIFAR10, CIFAR100, Training, ies, plain

SYMMETRIC, INSTANCE = 'symmetric', 'instance'
KINDS = (SYMMETRIC, INSTANCE)
EARLY = {
    CIFAR10: {
        'symmetric_0.2': '87.81 [21]',
        'symmetric_0.4': '81.29 [13]',
        'instance_0.2': '87.09 [22]',
        'instance_0.4': '83.49 [20]',
    },
    CIFAR100: {
        'symmetric_0.2': '55.39 [17]',
        'symmetric_0.4': '43.87 [15]',
        'instance_0.2': '57.30 [18]',
        'instance_0.4': '47.67 [18]',
    },
}
"""Tables 9 and 10: the best accuracy and its epoch, of both methods."""

LATE = {
    'symmetric_0.1': ('61.9 [190]', '62.0 [191]', '14.2%'),
    'instance_0.1': ('58.9 [151]', '59.2 [199]', '11.0%'),
}
"""Table 11: No Removal, IES, saved."""

HEAD = (
    *('noise', 'paper, both', 'No Removal', 'IES'),
    *('saved until then: paper', 'ours'),
)
POINT = 1.0
"""Accuracies are comparable within this many points, as in Figure 1."""


def pairs(
    scale: Scale, data: str, noises: tuple[str, ...]
) -> dict[str, tuple[Training, Training]]:
    """Noise -> the plain training, IES."""
    return {
        noise: (
            plain(data=data, noise=noise),
            ies(scale.delta, data=data, noise=noise),
        )
        for noise in noises
    }


def trainings(
    data: Callable[[Scale], str], noises: tuple[str, ...]
) -> Callable[[Scale], list[Training]]:
    """All trainings on a dataset with these kinds of noise."""
    return lambda scale: [
        training
        for pair in pairs(scale, data(scale), noises).values()
        for training in pair
        if data(scale) in scale.data_sets
    ]


def on_cifar100(scale: Scale) -> str:
    """CIFAR-100 where the scale has it, else CIFAR-10."""
    return CIFAR100 if CIFAR100 in scale.data_sets else CIFAR10


def until_the_best(data: str) -> Callable[[Runs], Found]:
    """Read Table 9 or 10: the best epoch, and what was saved until then."""

    def read(runs: Runs) -> Found:
        lines = [f'| {" | ".join(HEAD)} |', '|---' * len(HEAD) + '|']
        until = []
        of_data = EARLY[data]
        for noise, (base, own) in pairs(
            runs.scale, data, tuple(of_data)
        ).items():
            saved = [_saved_until(run, _best(run)[0]) for run in runs.of(own)]
            until += saved
            cells = [
                _said(noise),
                of_data[noise],
                _bests(runs.of(base)),
                _bests(runs.of(own)),
                '0%',
                f'{spread([100 * s for s in saved])}%',
            ]
            lines.append(f'| {" | ".join(cells)} |')
        nothing = f'at most {max(until):.1%} in {len(until)} runs'
        claim = Claim(
            'nothing is pruned before the best epoch, so IES equals No '
            'Removal until then',
            '0%',
            nothing,
            verdict(max(until) == 0),
        )
        return Found([claim], table='\n'.join(lines))

    return read


def table11(runs: Runs) -> Found:
    """Read Table 11: best accuracy over a long training at 10% noise."""
    lines = [
        '| noise | | No Removal | IES | saved |',
        '|---|---|---|---|---|',
    ]
    claims = []
    for noise, (base, own) in pairs(
        runs.scale, on_cifar100(runs.scale), tuple(LATE)
    ).items():
        saved = [100 * run.saved for run in runs.of(own)]
        bests = [_bests(runs.of(training)) for training in (base, own)]
        lines += [
            f'| {_said(noise)} | paper | {" | ".join(LATE[noise])} |',
            f'| | ours | {" | ".join(bests)} | {spread(saved)}% |',
        ]
        plains, ours = (
            np.array([_best(run)[1] for run in runs.of(training)])
            for training in (base, own)
        )
        claims.append(
            Claim(
                f'{_said(noise)}: the best accuracy of IES is not lower '
                f'(within {POINT:g} point)',
                f'{LATE[noise][1]} against {LATE[noise][0]}',
                f'{ours.mean():.1f} against {plains.mean():.1f}',
                verdict(exceeds(ours - plains, -POINT)),
            )
        )
    return Found(claims, table='\n'.join(lines))


def _said(noise: str) -> str:
    kind, ratio = noise.split('_')
    return f'{float(ratio):.0%} {kind}'


def _best(run: Run) -> tuple[int, float]:
    """The epoch of the best accuracy, the first of equals; its value."""
    values = validations(run)
    best = max(values, key=lambda epoch: values[epoch])
    return best, values[best]


def _bests(runs: list[Run]) -> str:
    epochs, values = zip(*map(_best, runs), strict=True)
    return f'{spread(values, ".2f")} [{", ".join(map(str, epochs))}]'


def _saved_until(run: Run, epoch: int) -> float:
    """The share of the instance-epochs that was pruned up to an epoch."""
    seen = [line for line in run.records if line['epoch'] <= epoch]
    planned = sum(line['instances'] for line in seen)
    return 1 - sum(line['trained'] for line in seen) / planned
