"""Rank the images of a run by how much a model disagrees with their labels."""

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path

from ies_mm.commands.arguments import one_line_errors
from ies_mm.commands.parser import Parser, integer
from ies_mm.errors import ConfigError
from ies_mm.report.files import write_files
from ies_mm.report.suspecting.as_csv import as_csv
from ies_mm.report.suspecting.ranking import SUM, Suspects, read_suspects
from ies_mm.report.values import printable

SHOWN = 10


def main(
    argv: Sequence[str] | None = None, prog: str = 'ies-mm label-errors'
) -> None:
    """Read the arguments, rank, write the list."""
    arguments = Parser(prog=prog, description=__doc__)
    _add_arguments(arguments)
    args = arguments.parse_args(argv)
    with one_line_errors(prog):
        print(_written(args))


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument('work_dir', type=Path, metavar='WORK_DIR')
    parser.add_argument(
        '--out',
        type=Path,
        help='output file (default: WORK_DIR/ies/label_errors.csv)',
    )
    parser.add_argument(
        '--term', default=SUM, help='loss to rank by (default: %(default)s)'
    )
    parser.add_argument(
        '--last',
        type=integer(1),
        metavar='EPOCHS',
        help='average the loss over this many last epochs (default: all kept)',
    )
    parser.add_argument(
        '--share',
        type=float,
        default=0.05,
        help='share of images to mark as label issues (default: %(default)s)',
    )


def _written(args: Namespace) -> str:
    """Write the list and return its summary.

    Raises:
        ConfigError: The run has no such losses, or an argument is out of
            range.
    """
    if not 0 <= args.share <= 1:
        raise ConfigError(f'--share {args.share:g}: give a number from 0 to 1')
    suspects = read_suspects(args.work_dir, args.term, args.last)
    out = args.out or args.work_dir / 'ies' / 'label_errors.csv'
    content = as_csv(suspects, args.share).encode()
    write_files(out.parent, {out.name: content})
    return _summary(suspects, out, chosen=args.last is not None)


def _span(epochs: list[int]) -> str:
    if len(epochs) == 1:
        return f'epoch {epochs[0]}'
    return f'epochs {epochs[0]} to {epochs[-1]}'


def _summary(suspects: Suspects, out: Path, chosen: bool) -> str:
    loss, epochs = suspects.loss, suspects.epochs.tolist()
    lines = [
        f'  {loss[image]:<8.3g} {printable(suspects.names[image])}'
        for image in suspects.order[:SHOWN]
    ]
    heading = (
        f'{len(loss)} images by their mean loss ({suspects.term}) in '
        f'{_span(epochs)}, the highest first:'
    )
    if not (suspects.from_the_start or chosen):
        lines.append(
            'Earlier epochs were not kept: with keep_history=True, label '
            'errors that the model has memorized would rank higher'
        )
    return '\n'.join([heading, *lines, f'All of them: {out}'])
