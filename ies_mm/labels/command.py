"""What ``tools/make_noisy_labels.py`` does."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from mmengine.config import Config

from ies_mm.errors import ConfigError
from ies_mm.labels.file import NoisyLabels, write_labels
from ies_mm.labels.make import KINDS, human_labels, plant_noise


def add_arguments(parser: ArgumentParser) -> None:
    """Those beside the config.

    Args:
        parser (ArgumentParser): Of a command that reads a config.
    """
    parser.add_argument(
        '--kind',
        choices=KINDS,
        help='classes changed at random (symmetric) or by what is in the '
        'image (instance); boxes shifted or missing',
    )
    parser.add_argument(
        '--ratio', type=float, help='share of the labels, as 0.2 for 20%%'
    )
    parser.add_argument(
        '--seed', type=int, default=0, help='default: %(default)s'
    )
    parser.add_argument(
        '--human',
        type=Path,
        metavar='FILE',
        help='instead of --kind: CIFAR-10_human.pt or CIFAR-100_human.pt',
    )
    parser.add_argument(
        '--column', help='of --human: worse_label, aggre_label ...'
    )
    parser.add_argument(
        '--out', type=Path, required=True, help='the file to write'
    )


def make(cfg: Config, args: Namespace) -> str:
    """Write the file; gives what is to be said of it.

    Raises:
        ConfigError: An argument is missing or does not fit.
    """
    if (args.kind is None) == (args.human is None):
        raise ConfigError('give one of --kind and --human')
    if args.human is not None:
        labels = human_labels(cfg, args.human, args.column)
    elif args.ratio is None:
        raise ConfigError(f'--kind {args.kind} wants a --ratio, as 0.2')
    elif args.seed < 0:
        raise ConfigError(f'--seed {args.seed}: give 0 or more')
    else:
        labels = plant_noise(cfg, args.kind, args.ratio, args.seed)
    write_labels(args.out, labels)
    return _summary(labels, args.out)


def _summary(labels: NoisyLabels, out: Path) -> str:
    changed, number = int(labels.changed.sum()), len(labels.clean)
    what = 'boxes' if labels.has_boxes else 'images'
    place = (
        'before LoadAnnotations' if labels.has_boxes else 'behind PackInputs'
    )
    return (
        f'{changed} of {number} {what} ({changed / number:.1%}) of '
        f'{len(labels.classes)} classes have other labels: {out}\n'
        f"Add dict(type='LoadNoisyLabels', file='{out}') to the training "
        f'pipeline, {place}.'
    )
