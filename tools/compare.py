#!/usr/bin/env python
"""Compare training runs: a table, compare.json, curves.png, compare.html."""

import argparse
from pathlib import Path

from command_line.config import one_line_errors
from command_line.parser import Parser

from ies_mm.errors import ConfigError

NAME = 'tools/compare.py'
OUT = Path('work_dirs', 'compare')


def main() -> None:
    """Read the arguments, compare, print."""
    arguments = Parser(prog=NAME, description=__doc__)
    arguments.add_argument(
        'work_dirs',
        nargs='+',
        type=Path,
        metavar='WORK_DIR',
        help='work directories of runs, plain ones and others, in any order',
    )
    arguments.add_argument(
        '--out',
        type=Path,
        default=OUT,
        help='folder of the files (default: %(default)s)',
    )
    arguments.add_argument(
        '--metric', help='validation metric; higher must be better'
    )
    arguments.add_argument(
        '--early',
        type=_share,
        default=0.05,
        help='of all images, how many of those pruned first are looked at: '
        'are they forgotten? (default: %(default)s)',
    )
    args = arguments.parse_args()
    with one_line_errors(NAME):
        print(_compared(args))
    print(f'\nwritten to {args.out}: compare.html, compare.json and pictures')


def _share(word: str) -> float:
    try:
        share = float(word)
    except ValueError:
        share = 0.0
    if not 0 < share <= 1:
        raise argparse.ArgumentTypeError(f'{word}: give a share above 0 to 1')
    return share


def _compared(args: argparse.Namespace) -> str:
    try:
        from ies_mm.report.compare import compare, table
    except ImportError as error:
        raise ConfigError(
            f'{error}; install matplotlib and Jinja2: '
            'pip install ies-mm[report]'
        ) from error
    return table(compare(args.work_dirs, args.out, args.metric, args.early))


if __name__ == '__main__':
    main()
