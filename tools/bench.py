#!/usr/bin/env python
"""Benchmarks: steps, decisions, whole trainings; Markdown tables.

``steps``: the cost of capturing, weighting and scoring, paired with the plain
step. ``heads``: the same for dense and query heads at 16 small images, with a
tenth of the pairs. ``decisions``: a decision against the literal loop, at
three sizes.
``trainings``: whole trainings of every method against the plain one.
"""

import argparse
from importlib import import_module
from pathlib import Path

import torch
from benchmarks.decisions import bench_decisions
from benchmarks.steps import bench_steps
from benchmarks.trainings import Plan, bench_trainings, methods

from ies_mm.commands.arguments import one_line_errors
from ies_mm.commands.demo import DATA, make_data
from ies_mm.core.budget import MOST_LEFT_OUT

PARTS = ('steps', 'heads', 'decisions', 'trainings')
DEMO = Path('configs/faster_rcnn_r18_demo.py')


def main() -> None:
    """Run the requested parts, by default all."""
    args = _arguments()
    with one_line_errors('tools/bench.py'):
        plan = Plan(
            args.config, args.out, args.seeds, args.saved, args.methods
        )
        torch.manual_seed(0)
        threads = torch.get_num_threads()
        print(f'torch {torch.__version__}, {threads} threads\n')
        if 'steps' in args.parts:
            bench_steps(args.pairs)
            print()
        if 'heads' in args.parts:
            # Imported late, since it imports libraries that print.
            bench_heads = import_module('benchmarks.heads').bench_heads
            bench_heads(max(args.pairs // 10, 1))
            print()
        if 'decisions' in args.parts:
            bench_decisions()
            print()
        if 'trainings' in args.parts:
            if args.config == DEMO and not DATA.exists():
                make_data(160)
            bench_trainings(plan)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        'parts', nargs='*', metavar='PART', help=', '.join(PARTS)
    )
    parser.add_argument('--pairs', type=int, default=100)
    parser.add_argument(
        '--config',
        type=Path,
        default=DEMO,
        help='a plain config to train with (default: %(default)s)',
    )
    parser.add_argument('--out', type=Path, default=Path('work_dirs/bench'))
    parser.add_argument('--seeds', type=int, nargs='+', default=[0])
    parser.add_argument('--saved', type=float, default=0.2)
    parser.add_argument('--methods', nargs='+', default=list(methods(0.2)))
    args = parser.parse_args()
    unknown = [part for part in args.parts if part not in PARTS]
    if unknown:
        parser.error(f'there is no part {unknown[0]!r}: {", ".join(PARTS)}')
    if args.pairs < 1:
        parser.error(f'--pairs {args.pairs}: give 1 or more')
    if not 0 <= args.saved <= MOST_LEFT_OUT:
        parser.error(
            f'--saved {args.saved}: give a share from 0 to {MOST_LEFT_OUT}'
        )
    args.parts = args.parts or PARTS
    return args


if __name__ == '__main__':
    main()
