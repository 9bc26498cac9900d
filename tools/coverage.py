#!/usr/bin/env python
"""Check the captured losses of every OpenMMLab model family.

Builds one config of each family in the installed mmdet, mmseg and mmpretrain,
checks a training step with the capture against the plain step and against
every image run on its own, in small and large batches and in two processes,
and writes docs/coverage.md. Fails if any captured loss is wrong.
"""

if __name__ == 'coverage':
    # numba, which mmdet imports, looks for the package of this name, finds
    # this file from any command in this folder, and works without it.
    raise ImportError('tools/coverage.py is a command, not that package')

import argparse
import sys
from collections.abc import Iterator
from importlib import import_module
from itertools import product
from pathlib import Path

import torch
from coverage_checks.kept import TRAINING, keep, kept, tidy
from coverage_checks.listed import LIBRARIES, Family, every_config, families
from coverage_checks.processes import isolated
from coverage_checks.rows import Row
from coverage_checks.settings import SETTINGS
from coverage_checks.table import document, verdict
from training_checks.check import isolated_training

from ies_mm.commands.parser import Parser

PAGE = Path(__file__).resolve().parents[1] / 'docs/coverage.md'


def main() -> None:
    """Make the requested rows, then the page of all known rows."""
    args = _arguments()
    torch.set_num_threads(1)
    for library in LIBRARIES:
        import_module(f'{library}.models')  # once, not in every row's process
    wrong = []
    for setting, row in _made(args):
        print(f'{setting}: {row.family.key}: {verdict(row)}', flush=True)
        wrong += [row.family.name] if row.verdict == 'wrong' else []
    tidy(args.kept)
    known = kept(args.kept)
    shown = {family: known[family] for family in args.page if family in known}
    args.out.write_text(document(shown))
    if wrong:
        sys.exit(f'tools/coverage.py: wrong: {", ".join(wrong)}')


def _made(args: argparse.Namespace) -> Iterator[tuple[str, Row]]:
    """Yield the rows, named families first, in every setting."""
    known = kept(args.kept) if args.resume else {}
    rows = sorted(
        product(args.rows, args.setting), key=lambda row: not row[0].named
    )
    for family, setting in rows:
        before = known.get(family, {}).get(setting)
        if before and before.is_current:
            yield setting, before.row
            continue
        row = _row(family, setting)
        keep(row, setting, args.kept)
        yield setting, row


def _row(family: Family, setting: str) -> Row:
    if setting == TRAINING:
        return isolated_training(family)
    return isolated(family, SETTINGS[setting])


def _arguments() -> argparse.Namespace:
    parser = Parser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        '--family', nargs='+', metavar='NAME', help='only these rows'
    )
    parser.add_argument(
        '--library', nargs='+', choices=LIBRARIES, default=LIBRARIES
    )
    parser.add_argument(
        '--all',
        action='store_true',
        help='a row for every shipped config, on a separate page (--out)',
    )
    parser.add_argument(
        '--setting',
        nargs='+',
        choices=SETTINGS,
        default=list(SETTINGS),
        help='small: two images; large: 16; processes: two images, and one in '
        'a second process (default: all of them)',
    )
    parser.add_argument(
        '--train',
        action='store_true',
        help='train every model for a few epochs instead, pruning, stopped '
        'and resumed',
    )
    parser.add_argument(
        '--resume',
        action='store_true',
        help='keep earlier rows made by the same code',
    )
    parser.add_argument(
        '--out',
        type=Path,
        default=PAGE,
        help='the page; its rows, including those of other runs, are kept '
        'next to it in a .jsonl file (default: docs/coverage.md)',
    )
    args = parser.parse_args()
    if args.all and args.out == PAGE:
        parser.error('--all writes a separate page: name it with --out')
    if args.train:
        args.setting = [TRAINING]
    args.kept = args.out.with_suffix('.jsonl')
    args.page = _listed(args)
    args.rows = _asked_for(args, parser)
    return args


def _listed(args: argparse.Namespace) -> list[Family]:
    listed = every_config if args.all else families
    return [row for library in LIBRARIES for row in listed(library)]


def _asked_for(args: argparse.Namespace, parser: Parser) -> list[Family]:
    rows = [row for row in args.page if row.library in args.library]
    if args.family:
        unknown = set(args.family) - {row.name for row in rows}
        if unknown:
            parser.error(f'there is no family {sorted(unknown)[0]!r}')
        rows = [row for row in rows if row.name in args.family]
    return rows


if __name__ == '__main__':
    main()
