#!/usr/bin/env python
"""Draw metric and excluded images over epochs: OUT.png LABEL=DIR[,DIR] ..."""

import argparse
from pathlib import Path

from ies_mm.report.curves import draw_curves


def main() -> None:
    """Read the arguments, draw."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument('out', type=Path, help='the PNG file')
    arguments.add_argument(
        'runs',
        nargs='+',
        metavar='LABEL=DIR[,DIR...]',
        help='work directories; those of one label are its seeds',
    )
    arguments.add_argument('--metric', default='pascal_voc/mAP')
    args = arguments.parse_args()
    groups = {}
    for run in args.runs:
        label, equals, folders = run.partition('=')
        paths = [Path(folder) for folder in folders.split(',')]
        missing = [str(path) for path in paths if not path.is_dir()]
        if not equals or missing:
            arguments.error(f'{run!r}: give LABEL=DIR with existing folders')
        groups[label] = paths
    draw_curves(groups, args.metric, args.out)


if __name__ == '__main__':
    main()
