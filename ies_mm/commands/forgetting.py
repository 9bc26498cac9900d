"""What a detector still finds on the images it pruned first, by checkpoint.

For a run with ``IESHook(keep_history=True)`` that kept its checkpoints
(``default_hooks.checkpoint.max_keep_ckpts=-1``): the F1 of the boxes, by
forward passes over all training images (IES, appendix H). For classifiers and
segmentors, ``ies-mm compare`` shows the accuracy of the training's own passes.
"""

import json
import re
from collections.abc import Iterator, Sequence
from functools import reduce
from operator import add
from pathlib import Path

from numpy.typing import NDArray

from ies_mm.commands.arguments import one_line_errors
from ies_mm.commands.parser import Parser, number
from ies_mm.commands.work_dir import dumped_config, one_line
from ies_mm.errors import ConfigError
from ies_mm.groups.counts import Counts
from ies_mm.groups.training_images import TrainingImages
from ies_mm.report.comparing.forgetting import SHARE, first_pruned
from ies_mm.report.files import write_files
from ies_mm.report.reading.run_instances import Instances, read_instances
from ies_mm.report.reading.runs import read_run

IOU = 0.5
FILE = 'forgetting.json'


def main(
    argv: Sequence[str] | None = None, prog: str = 'ies-mm forgetting'
) -> None:
    """Read the arguments, run the checkpoints, print."""
    arguments = Parser(prog=prog, description=__doc__)
    arguments.add_argument('work_dir', type=Path, metavar='WORK_DIR')
    arguments.add_argument(
        '--early',
        type=number(0, 1),
        default=SHARE,
        help='share of the images to examine, those pruned first (default: '
        '%(default)s)',
    )
    arguments.add_argument(
        '--score',
        type=number(0, 1),
        default=0.5,
        help='minimum score of a detection (default: %(default)s)',
    )
    args = arguments.parse_args(argv)
    with one_line_errors(prog):
        rows = list(_rows(args.work_dir, args.early, args.score))
        text = json.dumps(rows, indent=1)
        write_files(args.work_dir / 'ies', {FILE: f'{text}\n'.encode()})
    print(_table(rows))
    print(f'\nwritten to {args.work_dir / "ies" / FILE}')


def _rows(work_dir: Path, early: float, score: float) -> Iterator[dict]:
    """The F1 at each kept checkpoint.

    Raises:
        ConfigError: The run has no history, kept no checkpoints, pruned
            nothing, or trained on other images.
    """
    run = read_run(work_dir)
    instances = _history(read_instances(run), work_dir)
    checkpoints = _checkpoints(work_dir, len(instances.epochs))
    with one_line(f'the images of {work_dir} cannot be loaded'):
        images = TrainingImages(dumped_config(work_dir))
    if [*images.names] != instances.names:
        raise ConfigError(
            f'{work_dir} was trained on other images than its config names '
            'now; restore the data'
        )
    first = first_pruned(instances.excluded, early)
    for epoch, path in checkpoints.items():
        with one_line(f'{path} cannot be run'):
            counts = images.counts(path, IOU, score)
        yield {
            'epoch': epoch,
            'images': len(counts),
            'early': len(first),
            'f1': f1_of(counts),
            'early_f1': f1_of(_of(counts, first)),
        }


def f1_of(counts: Sequence[Counts]) -> float | None:
    """F1 of all boxes of some images; None if there are none at all."""
    total: Counts = reduce(add, counts)
    boxes = int(total.predicted.sum() + total.actual.sum())
    return 2 * int(total.hits.sum()) / boxes if boxes else None


def _of(counts: Sequence[Counts], ids: NDArray) -> list[Counts]:
    return [counts[number] for number in ids]


def _history(instances: Instances | None, work_dir: Path) -> Instances:
    if instances is None or not instances.from_the_start:
        raise ConfigError(
            f'{work_dir} did not keep all its epochs; train with '
            'keep_history=True in its hook'
        )
    if not instances.excluded.any():
        raise ConfigError(
            f'{work_dir} pruned nothing, so it cannot forget pruned images'
        )
    return instances


def _checkpoints(work_dir: Path, epochs: int) -> dict[int, Path]:
    """Epoch -> checkpoint, in order.

    Args:
        work_dir (Path): The run's folder.
        epochs (int): Number of recorded epochs. Later checkpoints are those
            of another, longer run in the folder.
    """
    found = {}
    for path in work_dir.glob('epoch_*.pth'):
        named = re.fullmatch(r'epoch_(\d+)', path.stem)
        if named and int(named[1]) <= epochs:
            found[int(named[1])] = path
    if not found:
        raise ConfigError(
            f'{work_dir} has no epoch_*.pth; train with '
            'default_hooks.checkpoint.interval=5 and max_keep_ckpts=-1'
        )
    return dict(sorted(found.items()))


def _table(rows: Sequence[dict]) -> str:
    part = f'{rows[0]["early"]} of {rows[0]["images"]} training images'
    lines = [
        f'{part} were pruned first; F1 of boxes at IoU {IOU:g}',
        '',
        'epoch  all images  pruned first',
    ]
    for row in rows:
        every, early = (_said(row[key]) for key in ('f1', 'early_f1'))
        lines.append(f'{row["epoch"]:>5}  {every:>10}  {early:>12}')
    return '\n'.join(lines)


def _said(value: float | None) -> str:
    return '-' if value is None else f'{value:.3f}'
