"""Tables 3, 6 and 7: what a pretrained backbone is worth elsewhere."""

from collections.abc import Iterator

import numpy as np

from paper_experiments.experiment import (
    Claim,
    Found,
    Runs,
    exceeds,
    interval,
    last_accuracies,
    spread,
    verdict,
)
from paper_experiments.scale import Scale
from paper_experiments.trainings import Training, ies, plain

NAMES = dict(
    others='the other five classes',
    digits='digits of scikit-learn',
    cifar10='CIFAR-10',
    cifar100='CIFAR-100',
    caltech101='Caltech-101',
)
PAPER = {
    ('resnet101', 'cifar10', 1): ('80.3 ± 0.2', '81.2 ± 0.1'),
    ('resnet101', 'cifar100', 1): ('55.6 ± 0.2', '57.5 ± 0.2'),
    ('resnet101', 'caltech101', 1): ('57.4 ± 1.2', '59.9 ± 0.8'),
    ('densenet121', 'cifar10', 1): ('77.3 ± 0.2', '78.6 ± 0.2'),
    ('densenet121', 'cifar100', 1): ('52.3 ± 0.2', '53.0 ± 0.2'),
    ('densenet121', 'caltech101', 1): ('49.5 ± 1.5', '50.9 ± 1.6'),
    ('resnet101', 'cifar10', 5): ('84.6 ± 0.1', '85.6 ± 0.1'),
    ('resnet101', 'cifar100', 5): ('64.4 ± 0.2', '66.0 ± 0.1'),
    ('resnet101', 'caltech101', 5): ('92.5 ± 0.3', '92.7 ± 0.2'),
    ('densenet121', 'cifar10', 5): ('81.7 ± 0.1', '82.6 ± 0.1'),
    ('densenet121', 'cifar100', 5): ('60.8 ± 0.2', '61.6 ± 0.2'),
    ('densenet121', 'caltech101', 5): ('90.6 ± 0.3', '91.2 ± 0.2'),
}
"""(network, target, epochs) -> No Removal, IES. Table 7 has its columns in
another order than Table 6."""

HEAD = ('transfer to', 'epochs', 'network', '', 'No Removal', 'IES')
Row = tuple[str, str, Training, Training]
SMALL_NETWORK = 'ResNet-14'


def pretrainings(
    scale: Scale, source: tuple[str, str]
) -> tuple[Training, Training]:
    """The plain pretraining, and IES."""
    data, setting = source
    delta = 1.0 if data == 'imagenet' else scale.delta
    return (
        plain(data=data, setting=setting),
        ies(delta, data=data, setting=setting),
    )


def trainings(scale: Scale, epochs: int) -> list[Training]:
    """Pretrainings and fine-tunings."""
    found = [
        training
        for source in scale.sources
        for training in pretrainings(scale, source)
    ]
    for _, _, base, own in _rows(scale, epochs):
        found += [base, own]
    return found


def table(runs: Runs, epochs: int) -> Found:
    """A row for each network and target, and its claim."""
    lines = [
        f'| {" | ".join((*HEAD, "difference (95%)"))} |',
        '|---' * (len(HEAD) + 1) + '|',
    ]
    claims = []
    for network, target, base, own in _rows(runs.scale, epochs):
        paper = PAPER.get((network, target, epochs))
        start = f'| {NAMES[target]} | {epochs} | {network}'
        if paper:
            lines.append(f'{start} | paper | {" | ".join(paper)} | |')
        values = [
            last_accuracies(runs.of(training)) for training in (base, own)
        ]
        apart = np.subtract(values[1], values[0])
        cells = [*(spread(v, '.2f') for v in values), interval(apart)]
        lines.append(f'{start} | ours | {" | ".join(cells)} |')
        claims.append(
            Claim(
                f'{NAMES[target]}, {network}: pretrained with IES, it '
                'transfers better',
                'yes',
                f'{float(np.mean(apart)):+.2f} points',
                verdict(exceeds(apart)),
            )
        )
    return Found(claims, table='\n'.join(lines))


def _rows(scale: Scale, epochs: int) -> Iterator[Row]:
    """Network, target and the fine-tunings after both pretrainings."""
    for source in scale.sources:
        network, _, optimiser = source[1].partition('_')
        setting = f'{network}_head'
        # The small scale has one network, which its settings do not name.
        if optimiser == 'e':
            network, setting = SMALL_NETWORK, 'head'
        for target in scale.targets:
            base, own = (
                plain(data=target, setting=setting, epochs=epochs, start=start)
                for start in pretrainings(scale, source)
            )
            yield network, target, base, own
