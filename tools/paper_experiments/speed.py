"""Tables 4 and 8: methods set to be two and three times as fast."""

from collections.abc import Sequence
from typing import Any

import numpy as np

import ies_mm.engine  # noqa: F401  registers the hooks
from ies_mm.configuring.speedup_option import check_length
from ies_mm.configuring.speedups import FORWARD, arguments_for
from ies_mm.errors import ConfigError
from ies_mm.report.reading.runs import Run
from paper_experiments.experiment import (
    Claim,
    Found,
    Runs,
    accuracies,
    exceeds,
    interval,
    spread,
    verdict,
)
from paper_experiments.paper_scale import PAPER
from paper_experiments.scale import Scale
from paper_experiments.sweeps import walls
from paper_experiments.trainings import CIFAR10, CIFAR100, Training, plain

TWICE, THREE_TIMES = 2.0, 3.0
EPOCHS = 100
"""Epochs of the paper's full training (appendix F)."""

STOPPED, SHORT = 'early stopping', 'short plain'
HOOKS: dict[str, dict[str, Any]] = {
    'Selective-Backprop': dict(type='SelectiveBackpropHook'),
    'DIHCL': dict(type='DIHCLHook'),
    'EfficientTrain': dict(type='EfficientTrainHook'),
    'Random Remove': dict(type='RandomRemovalHook', begin=6),
    'Soft IES': dict(type='SoftIESHook'),
    'IES': dict(type='IESHook', delta=0.1, refresh_interval=5),
    'IES, all scored': dict(
        type='IESHook', saved=0.1, observe='scoring', scoring=dict(interval=5)
    ),
}
"""The methods; the paper scores the full set every five epochs.

That may mean all pruned images, as in *IES*, or all images, from which then
all losses come, as in *IES, all scored*.
"""

BASELINE = {CIFAR10: '94.3 ± 0.3', CIFAR100: '77.0 ± 0.4'}
TABLE_8 = {
    (TWICE, STOPPED): ('90.4 ± 0.5', '68.7 ± 0.5'),
    (TWICE, 'Selective-Backprop'): ('93.0 ± 0.1', '70.6 ± 0.5'),
    (TWICE, 'DIHCL'): ('93.4 ± 0.2', '74.3 ± 0.2'),
    (TWICE, 'EfficientTrain'): ('91.5 ± 0.2', '75.0 ± 0.1'),
    (TWICE, 'IES'): ('93.7 ± 0.4', '74.9 ± 0.5'),
    (THREE_TIMES, STOPPED): ('88.1 ± 0.3', '63.9 ± 1.0'),
    (THREE_TIMES, 'Selective-Backprop'): ('91.1 ± 0.5', '65.8 ± 0.3'),
    (THREE_TIMES, 'DIHCL'): ('92.7 ± 0.1', '72.6 ± 0.1'),
    (THREE_TIMES, 'EfficientTrain'): ('92.5 ± 0.2', '70.6 ± 0.7'),
    (THREE_TIMES, 'IES'): ('93.2 ± 0.1', '73.0 ± 0.5'),
}
"""(speed-up, method) -> CIFAR-10, CIFAR-100; Table 4 is its first half."""

HEAD = (
    *('', 'speed-up', 'paper', 'ours', 'compute', 'time'),
    'minus short plain (95%)',
)


def methods(
    scale: Scale, data: str, speedup: float
) -> dict[str, Training | str]:
    """The trainings of a speed-up, or why there is none."""
    epochs = _epochs(scale)
    found: dict[str, Training | str] = {
        STOPPED: Training('plain', data=data, epochs=round(epochs / speedup)),
        SHORT: plain(data=data, epochs=_own(scale), length=1 / speedup),
    }
    for name, hook in HOOKS.items():
        found[name] = _set_to(name, hook, scale, data, speedup)
    return found


def full(scale: Scale, data: str) -> Training:
    """The full plain training."""
    return plain(data=data, epochs=_own(scale))


def trainings(scale: Scale, speedups: Sequence[float]) -> list[Training]:
    """All trainings of these speed-ups, and the full ones."""
    found = []
    for data in scale.data_sets:
        found.append(full(scale, data))
        for speedup in speedups:
            made = methods(scale, data, speedup).values()
            found += [t for t in made if isinstance(t, Training)]
    return found


def table(runs: Runs, speedups: Sequence[float]) -> Found:
    """A block for each dataset and speed-up, and the paper's claim."""
    lines = [f'| {" | ".join(HEAD)} |', '|---' * len(HEAD) + '|']
    claims = []
    for at, data in enumerate(runs.scale.data_sets):
        base = runs.of(full(runs.scale, data))
        ours = spread(_best(base), '.2f')
        lines.append(
            f'| No Removal, {data} | 1 | {BASELINE[data]} | {ours} | 100% '
            '| 1.00 | |'
        )
        for speedup in speedups:
            rows = methods(runs.scale, data, speedup)
            for name, training in rows.items():
                paper = TABLE_8.get((speedup, name), ('', ''))[at]
                start = f'| {name} | {speedup:g} | {paper}'
                if isinstance(training, str):
                    lines.append(f'{start} | {training} | | | |')
                    continue
                short = rows[SHORT]
                assert isinstance(short, Training)
                cells = _cells(runs, base, training, short)
                lines.append(f'{start} | {cells} |')
            claims.append(_claim(runs, data, speedup, rows))
    return Found(claims, table='\n'.join(lines))


def _epochs(scale: Scale) -> int:
    return EPOCHS if scale is PAPER else scale.epochs


def _own(scale: Scale) -> int:
    """Epochs of a training run, 0 where they are the scale's."""
    return EPOCHS if scale is PAPER else 0


def _set_to(
    name: str, hook: dict[str, Any], scale: Scale, data: str, speedup: float
) -> Training | str:
    epochs = _epochs(scale)
    if name == 'DIHCL':
        # The budget falls as far as by 0.9 per epoch in the paper's length.
        hook = hook | dict(factor=round(0.9 ** (EPOCHS / epochs), 4))
    try:
        changes = arguments_for(hook, speedup, epochs)
        changed = {k: v for k, v in (hook | changes).items() if v is not None}
        check_length(changed, speedup, epochs)
    except ConfigError:
        return 'out of reach'
    method = f'{name.lower().replace(" ", "_")}_{speedup:g}x'
    return Training(
        method, tuple(changed.items()), data=data, epochs=_own(scale)
    )


def _cells(
    runs: Runs, base: Sequence[Run], training: Training, short: Training
) -> str:
    own = runs.of(training)
    compute = float(np.mean([_compute(run, runs.scale) for run in own]))
    time = float(np.mean(walls(own)) / np.mean(walls(base)))
    apart = np.subtract(_best(own), _best(runs.of(short)))
    less = '' if training is short else interval(apart)
    return ' | '.join(
        (spread(_best(own), '.2f'), f'{compute:.1%}', f'{time:.2f}', less)
    )


def _best(runs: Sequence[Run]) -> list[float]:
    return [max(accuracies(run)) for run in runs]


def _compute(run: Run, scale: Scale) -> float:
    """Training steps and scoring passes, in full epochs of the full run."""
    if not run.records:
        return run.progress.planned / _epochs(scale)
    images = run.records[0]['instances'] * _epochs(scale)
    trained = sum(
        record['trained'] * record.get('pixels', 1.0) for record in run.records
    )
    return (trained + FORWARD * run.total('forward_only')) / images


def _claim(
    runs: Runs,
    data: str,
    speedup: float,
    rows: dict[str, Training | str],
) -> Claim:
    """IES is above all methods of the paper at this speed-up."""
    best = {
        name: np.array(_best(runs.of(training)))
        for name, training in rows.items()
        if isinstance(training, Training) and (speedup, name) in TABLE_8
    }
    means = {name: float(values.mean()) for name, values in best.items()}
    other = max((m for m in means if m != 'IES'), key=lambda m: means[m])
    is_cifar10 = data == CIFAR10
    paper = speedup == THREE_TIMES or is_cifar10
    return Claim(
        f'{data}, {speedup:g} times as fast: IES is the most accurate of the '
        "paper's methods",
        'yes' if paper else 'second to EfficientTrain',
        f'{means["IES"]:.2f} against {means[other]:.2f} ({other})',
        verdict(exceeds(best['IES'] - best[other])),
    )
