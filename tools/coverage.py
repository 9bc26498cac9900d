#!/usr/bin/env python
"""Check the captured losses of every model family of OpenMMLab.

Builds a config of each family that the installed mmdet, mmseg and mmpretrain
ship, checks a training step with the capture against the plain one and
against each image alone, and writes docs/coverage.md. It fails when anything
that was captured is wrong.
"""

if __name__ == 'coverage':
    # numba, which mmdet imports, asks for the package of this name from every
    # command of this folder, and does without it where there is none.
    raise ImportError('tools/coverage.py is a command, not that package')

import argparse
import sys
from importlib import import_module
from pathlib import Path

import torch
from _coverage_families import LIBRARIES, Family, every_config, families
from _coverage_kept import keep, kept
from _coverage_processes import isolated
from _coverage_table import document, line
from _parser import Parser

OUT = Path('docs/coverage.md')
KEPT = Path('work_dirs')


def main() -> None:
    """Check what is asked for, by default a config of every family."""
    args = _arguments()
    torch.set_num_threads(1)
    for library in LIBRARIES:
        import_module(f'{library}.models')  # once, not in every row's process
    known = kept(_kept(args)) if args.resume else {}
    rows = []
    for family in args.rows:
        row = known.get(family) or isolated(family, args.batch, args.processes)
        if family not in known:
            keep(row, _kept(args))
        print(line(row), flush=True)
        rows.append(row)
    if args.out:
        command = ' '.join(['python', *sys.argv])
        args.out.write_text(
            document(rows, command, args.batch, args.processes)
        )
    wrong = [row.family.name for row in rows if row.verdict == 'wrong']
    if wrong:
        sys.exit(f'tools/coverage.py: wrong: {", ".join(wrong)}')


def _kept(args: argparse.Namespace) -> Path:
    return KEPT / f'coverage-{args.batch}-{args.processes}.jsonl'


def _arguments() -> argparse.Namespace:
    parser = Parser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        '--family', nargs='+', metavar='NAME', help='these rows alone'
    )
    parser.add_argument(
        '--library', nargs='+', choices=LIBRARIES, default=LIBRARIES
    )
    parser.add_argument(
        '--all', action='store_true', help='a row for every shipped config'
    )
    parser.add_argument(
        '--batch', type=int, choices=(2, 16), default=2, help='images'
    )
    parser.add_argument(
        '--processes',
        type=int,
        choices=(1, 2),
        default=1,
        help='that train together, on other objects, the second on one image '
        'less; nothing is timed with two',
    )
    parser.add_argument(
        '--resume',
        action='store_true',
        help=f'keep the rows that the same code has written into {KEPT}',
    )
    parser.add_argument(
        '--out',
        type=Path,
        help=f'the page to write (default: {OUT}, unless --family is given)',
    )
    args = parser.parse_args()
    args.rows = _rows(args, parser)
    if args.out is None and not args.family:
        args.out = OUT
    return args


def _rows(args: argparse.Namespace, parser: Parser) -> list[Family]:
    listed = every_config if args.all else families
    rows = [row for library in args.library for row in listed(library)]
    if args.family:
        unknown = set(args.family) - {row.name for row in rows}
        if unknown:
            parser.error(f'there is no family {sorted(unknown)[0]!r}')
        rows = [row for row in rows if row.name in args.family]
    return rows


if __name__ == '__main__':
    main()
