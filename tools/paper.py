#!/usr/bin/env python
"""Repeat the paper's experiments: one command for each figure and table.

Trains what is missing, resumes what was stopped, then writes
OUT/SCALE/NAME.png and NAME.json, or NAME.md for a table. docs/paper.md has the
results so far.
"""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from mmengine.device import get_device
from paper_experiments.declared import EXPERIMENTS
from paper_experiments.experiment import Experiment, Found
from paper_experiments.images import (
    grouped_images,
    other_classes,
    small_images,
)
from paper_experiments.panels import draw_panels
from paper_experiments.runner import Workshop, what_it_takes
from paper_experiments.scales import SCALES
from paper_experiments.small_scale import SMALL

from ies_mm.commands.arguments import one_line_errors
from ies_mm.commands.parser import Parser, integer
from ies_mm.errors import ConfigError
from ies_mm.report.files import write_files
from ies_mm.report.values import finite

NAME = 'tools/paper.py'
LIST, IMAGES = 'list', 'images'


def main() -> None:
    """Read the arguments; list the experiments, or run one."""
    args = _arguments()
    with one_line_errors(NAME):
        if args.name == LIST:
            print(listing(_workshop(args)))
            return
        experiment = EXPERIMENTS[args.name]
        workshop = _workshop(args)
        print(what_it_takes(workshop, experiment), flush=True)
        if not workshop.jobs_of(experiment):
            raise ConfigError(
                f'{experiment.name} has no small setting: '
                f'{experiment.no_small}; give --scale paper'
            )
        _check_paper_scale(args)
        if args.scale == SMALL.name:
            small_images(args.data, workshop.out / IMAGES)
            grouped_images(workshop.out / IMAGES)
            other_classes(workshop.out / IMAGES)
        runs = workshop.make(experiment)
        found = experiment.read(runs)
        write_files(workshop.out, _files(experiment, found, workshop))
    print(claims_table(found))
    print(f'\nwritten to {workshop.out}')


def listing(workshop: Workshop) -> str:
    """Every figure and table of the paper, with the progress of its runs."""
    lines = [f'--scale {workshop.scale.name}: {workshop.scale.about}']
    lines += [what_it_takes(workshop, one) for one in EXPERIMENTS.values()]
    return '\n'.join(lines)


def claims_table(found: Found) -> str:
    """The paper's figures and ours, in Markdown."""
    lines = ['| the paper says | paper | ours | holds |', '|---|---|---|---|']
    lines += [
        f'| {" | ".join((c.says, c.paper, c.ours, c.holds))} |'
        for c in found.claims
    ]
    parts = [found.table] if found.table else []
    return '\n\n'.join([*parts, '\n'.join(lines)])


def _files(
    experiment: Experiment, found: Found, workshop: Workshop
) -> dict[str, bytes]:
    """Output files by name: a table, or a picture and its data."""
    name, scale = experiment.name, workshop.scale
    if found.table:
        heading = f'# {name}, {scale.name} scale: {experiment.title}'
        text = f'{heading}\n\n{scale.about}.\n\n{claims_table(found)}\n'
        return {f'{name}.md': text.encode()}
    content = {
        'name': name,
        'title': experiment.title,
        'scale': scale.name,
        'setting': scale.about,
        'differs': experiment.differs,
        'claims': [asdict(claim) for claim in found.claims],
        'panels': [asdict(panel) for panel in found.panels],
        'runs': [str(job.work_dir) for job in workshop.jobs_of(experiment)],
    }
    text = json.dumps(finite(content), indent=1, allow_nan=False)
    return {
        f'{name}.png': draw_panels(found.panels, experiment.columns),
        f'{name}.json': f'{text}\n'.encode(),
    }


def _workshop(args: argparse.Namespace) -> Workshop:
    scale = SCALES[args.scale]
    out = args.out / scale.name
    small = scale is SMALL
    data = out.resolve() / IMAGES if small else args.data
    return Workshop(scale, out, data, args.jobs, args.program_test)


def _check_paper_scale(args: argparse.Namespace) -> None:
    if args.scale == SMALL.name:
        return
    if get_device() == 'cpu':
        raise ConfigError(
            '--scale paper needs an accelerator, found only the CPU; '
            'nothing was started'
        )
    if args.data is not None and not args.data.is_dir():
        raise ConfigError(
            f'--data {args.data}: there is no such folder; give one with '
            'cifar10/, cifar100/ and imagenet/'
        )


def _arguments() -> argparse.Namespace:
    arguments = Parser(
        prog=NAME,
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    arguments.add_argument(
        'name',
        choices=[LIST, *EXPERIMENTS],
        metavar='NAME',
        help=f'{LIST}, figure1 to figure7, table1 to table14',
    )
    arguments.add_argument(
        '--scale',
        choices=SCALES,
        default=SMALL.name,
        help=f"{SMALL.name}: {SMALL.about}; paper: the paper's setting "
        '(default: %(default)s)',
    )
    arguments.add_argument(
        '--data',
        type=Path,
        help='small: a folder or tar archive of {train,test}/<class>/*.jpg; '
        'paper: a folder with cifar10/, cifar100/ and imagenet/ (default: '
        "the configs' paths)",
    )
    arguments.add_argument(
        '--out',
        type=Path,
        default=Path('work_dirs', 'paper'),
        help='folder of the runs and their results (default: %(default)s)',
    )
    arguments.add_argument(
        '--jobs',
        type=integer(1),
        default=2,
        help='runs at a time (default: 2)',
    )
    arguments.add_argument(
        '--program-test',
        action='store_true',
        help="give the test images the training's transforms, as the "
        "authors' program does (in folders of their own)",
    )
    return arguments.parse_args()


if __name__ == '__main__':
    main()
