"""Tables 12 and 13: what becomes of the images that are pruned first."""

from collections.abc import Sequence

import numpy as np

from ies_mm.errors import ConfigError
from ies_mm.report.comparing.forgetting import (
    Forgetting,
    Moment,
    forgetting_of,
)
from ies_mm.report.reading.run_instances import read_instances
from paper_experiments.experiment import Claim, Found, Runs, verdict
from paper_experiments.scale import Scale
from paper_experiments.trainings import Training, ies

PAPER = (
    Moment(50, 0.120135, 0.001003, 0.9596, 1.0),
    Moment(100, 0.001448, 0.000920, 0.9999, 0.9998),
    Moment(150, 0.000914, 0.000806, 1.0, 1.0),
    Moment(200, 0.000883, 0.000833, 1.0, 1.0),
)
PAPER_BACK = (13.14, 26.0)
PAPER_SAVED = 0.43


def training(scale: Scale) -> Training:
    """IES; the paper's run saves 43%, which SGD(E) comes closest to."""
    return ies(scale.delta)


def _read(runs: Runs) -> tuple[list[Forgetting], float]:
    """The forgetting of each seed, and the mean saved share."""
    found = []
    for run in runs.of(training(runs.scale)):
        instances = read_instances(run)
        forgetting = instances and forgetting_of(instances)
        if not forgetting:
            raise ConfigError(
                f'{run.work_dir} pruned nothing, so it cannot forget pruned '
                'images'
            )
        found.append(forgetting)
    saved = [run.saved for run in runs.of(training(runs.scale))]
    return found, float(np.mean(saved))


def table12(runs: Runs) -> Found:
    """Read Table 12: loss and accuracy of the early images at four epochs."""
    found, saved = _read(runs)
    moments = [_mean_of([f.moments[k] for f in found]) for k in range(4)]
    lines = [
        '| | | loss | | accuracy | |',
        '|---|---|---|---|---|---|',
        '| | epoch | all | early | all | early |',
        *(_row('paper', moment) for moment in PAPER),
        *(_row('ours', moment) for moment in moments),
    ]
    end = moments[-1]
    claims = [
        Claim(
            'at the end the loss of the early ones is no higher than that of '
            'the whole set',
            _pair(PAPER[-1].loss, PAPER[-1].early_loss, '.6f'),
            _pair(end.loss, end.early_loss, '.4f'),
            verdict(end.early_loss <= end.loss),
        ),
        Claim(
            'nor is their accuracy lower',
            _pair(PAPER[-1].accuracy, PAPER[-1].early_accuracy, '.2%'),
            _pair(end.accuracy, end.early_accuracy, '.2%'),
            verdict(
                None
                if np.isnan(end.early_accuracy)
                else end.early_accuracy >= end.accuracy
            ),
        ),
    ]
    return Found(claims, table=_under(lines, found, saved))


def table13(runs: Runs) -> Found:
    """Read Table 13: how often the early images were re-included."""
    found, saved = _read(runs)
    mean = float(np.mean([f.mean_back for f in found]))
    most = float(np.max([f.most_back for f in found]))
    lines = [
        '| times re-included | paper | ours |',
        '|---|---|---|',
        f'| mean | {PAPER_BACK[0]} | {mean:.2f} |',
        f'| most | {PAPER_BACK[1]:.0f} | {most:.0f} |',
    ]
    claims = [
        Claim(
            'early ones come back many times (more than once on average)',
            f'{PAPER_BACK[0]}, most {PAPER_BACK[1]:.0f}',
            f'{mean:.2f}, most {most:.0f}',
            verdict(mean > 1),
        )
    ]
    return Found(claims, table=_under(lines, found, saved))


def _under(
    lines: Sequence[str], found: Sequence[Forgetting], saved: float
) -> str:
    one = found[0]
    said = (
        f'The {one.early} of {one.images} images that were pruned first; '
        f'{saved:.1%} saved (paper: 5%, about {PAPER_SAVED:.0%}).'
    )
    return '\n'.join(
        [
            *lines,
            '',
            said,
        ]
    )


def _mean_of(moments: Sequence[Moment]) -> Moment:
    return Moment(
        moments[0].epoch,
        *(
            float(np.mean([getattr(moment, name) for moment in moments]))
            for name in ('loss', 'early_loss', 'accuracy', 'early_accuracy')
        ),
    )


def _row(whose: str, moment: Moment) -> str:
    cells = [
        whose,
        str(moment.epoch),
        *(f'{x:.6f}' for x in (moment.loss, moment.early_loss)),
        *map(_share, (moment.accuracy, moment.early_accuracy)),
    ]
    return f'| {" | ".join(cells)} |'


def _share(value: float) -> str:
    return 'not recorded' if np.isnan(value) else f'{value:.2%}'


def _pair(every: float, early: float, form: str) -> str:
    if np.isnan(every):
        return 'not recorded'
    return f'{every:{form}} all, {early:{form}} early'
