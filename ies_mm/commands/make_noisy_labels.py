"""Write noisy labels for the training images, next to the clean ones."""

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path

from mmengine.config import Config

from ies_mm.commands.arguments import one_line_errors, parser, read_config
from ies_mm.configuring.files import check_files
from ies_mm.errors import ConfigError
from ies_mm.labels.file import NoisyLabels, write_labels
from ies_mm.labels.make import KINDS, human_labels, plant_noise


def main(
    argv: Sequence[str] | None = None, prog: str = 'ies-mm make-noisy-labels'
) -> None:
    """Read the arguments, draw the noise, write the file."""
    arguments = parser(__doc__, prog)
    _add_arguments(arguments)
    args = arguments.parse_args(argv)
    with one_line_errors(prog):
        labels = _made(_config(args), args)
        write_labels(args.out, labels)
        print(_summary(labels, args.out))


def _add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments other than those of a config command."""
    parser.add_argument(
        '--kind',
        choices=KINDS,
        help='classes changed at random (symmetric) or depending on the '
        'image (instance); boxes shifted or missing',
    )
    parser.add_argument(
        '--ratio', type=float, help='share of the labels, e.g. 0.2 for 20%%'
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
        '--column', help='column of --human: worse_label, aggre_label ...'
    )
    parser.add_argument('--out', type=Path, required=True, help='output file')


def _config(args: Namespace) -> Config:
    """A config with training images that are there."""
    cfg = read_config(args)
    if cfg.get('train_dataloader') is None:
        raise ConfigError(
            'the config has no train_dataloader, whose labels would be noisy'
        )
    check_files(cfg, 'train_dataloader')
    return cfg


def _made(cfg: Config, args: Namespace) -> NoisyLabels:
    """Make the requested labels.

    Raises:
        ConfigError: An argument is missing or does not fit.
    """
    if (args.kind is None) == (args.human is None):
        raise ConfigError('give one of --kind and --human')
    if args.column is not None and args.human is None:
        raise ConfigError('--column needs --human; remove --column')
    if args.ratio is not None and args.human is not None:
        raise ConfigError('--ratio needs --kind; human labels have their own')
    if args.human is not None:
        return human_labels(cfg, args.human, args.column)
    if args.ratio is None:
        raise ConfigError(f'--kind {args.kind} needs a --ratio, e.g. 0.2')
    if args.seed < 0:
        raise ConfigError(f'--seed {args.seed}: give 0 or more')
    return plant_noise(cfg, args.kind, args.ratio, args.seed)


def _summary(labels: NoisyLabels, out: Path) -> str:
    changed, number = int(labels.changed.sum()), len(labels.clean)
    what = 'boxes' if labels.has_boxes else 'images'
    place = (
        'before LoadAnnotations' if labels.has_boxes else 'after PackInputs'
    )
    return (
        f'{changed} of {number} {what} ({changed / number:.1%}) of '
        f'{len(labels.classes)} classes have other labels: {out}\n'
        f"Add dict(type='LoadNoisyLabels', file='{out}') to the training "
        f'pipeline, {place}.'
    )
