"""Compare training runs: a table, and the files of a page with pictures.

The files are compare.html, compare.json, curves.png, differences.png and
times.png.
"""

from collections.abc import Sequence
from pathlib import Path

from ies_mm.commands.arguments import one_line_errors
from ies_mm.commands.parser import Parser, number
from ies_mm.report.compare import compare, table
from ies_mm.report.comparing.forgetting import SHARE

OUT = Path('work_dirs', 'compare')


def main(
    argv: Sequence[str] | None = None, prog: str = 'ies-mm compare'
) -> None:
    """Read the arguments, compare, print."""
    arguments = Parser(prog=prog, description=__doc__)
    arguments.add_argument(
        'work_dirs',
        nargs='+',
        type=Path,
        metavar='WORK_DIR',
        help='work directories of runs, plain or not, in any order',
    )
    arguments.add_argument(
        '--out',
        type=Path,
        default=OUT,
        help='output folder (default: %(default)s)',
    )
    arguments.add_argument(
        '--metric', help='validation metric; higher must be better'
    )
    arguments.add_argument(
        '--early',
        type=number(0, 1),
        default=SHARE,
        help='share of all images, those pruned first, to check for '
        'forgetting (default: %(default)s)',
    )
    args = arguments.parse_args(argv)
    with one_line_errors(prog):
        found = compare(args.work_dirs, args.out, args.metric, args.early)
        print(table(found))
    print(f'\nwritten to {args.out}: compare.html, compare.json and pictures')
