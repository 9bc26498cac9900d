"""Make a small VOC dataset, train on it in seven ways, compare the runs."""

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from ies_mm.commands import make_voc
from ies_mm.commands.parser import Parser
from ies_mm.configs import config_path
from ies_mm.report.compare import compare, table

DATA = Path('data', 'demo')
WORK = Path('work_dirs', 'demo')
PLAIN = config_path('faster_rcnn_r18_demo.py')
IES = config_path('ies_faster_rcnn_r18_demo.py')
TRAININGS = {
    'plain': (PLAIN,),
    'short': (PLAIN, '--length', '0.8'),
    'ies': (IES,),
    'spaced': (IES, '--method', 'ies_spaced'),
    'infobatch': (IES, '--method', 'infobatch'),
    'random': (IES, '--method', 'random_removal'),
    'passes': (IES, '--method', 'random_passes'),
}
"""Arguments of ``ies-mm train``, keyed by the runs' folder names."""


def main(argv: Sequence[str] | None = None, prog: str = 'ies-mm demo') -> None:
    """Make the data, run seven trainings, print the table, write the page."""
    arguments = Parser(prog=prog, description=__doc__)
    arguments.add_argument(
        '--seed', type=int, default=0, help='seed of the runs'
    )
    arguments.add_argument(
        '--images',
        type=int,
        default=64,
        help='number of training images; more images take longer',
    )
    args = arguments.parse_args(argv)
    make_data(args.images)
    options = ('--cfg-options', f'randomness.seed={args.seed}')
    runs = [train(n, *words, *options) for n, words in TRAININGS.items()]
    print(f'\n{table(compare(runs, WORK / "compare"))}\n')
    print(f'The page with pictures: {WORK}/compare/compare.html')
    print('What this shows and what it cannot show: docs/demo.md')


def make_data(images: int) -> None:
    """Make the images, which are the same in every run of the demo."""
    if make_voc.main([str(DATA), '--images', str(images), '--seed', '0']):
        sys.exit(1)


def train(name: str, config: str, *options: str) -> Path:
    """Train in a separate process, with the output in a log file.

    Returns:
        Path: The work directory.
    """
    work_dir = WORK / name
    shutil.rmtree(work_dir, ignore_errors=True)
    work_dir.mkdir(parents=True)
    command = [sys.executable, '-m', 'ies_mm', 'train', config]
    command += ['--work-dir', str(work_dir), *options]
    log = work_dir / 'output.log'
    started = time.monotonic()
    with (
        log.open('w') as output,
        subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT
        ) as process,
    ):
        try:
            while process.poll() is None:
                time.sleep(1)
                show(name, log, time.monotonic() - started)
        except BaseException:  # Ctrl-C, too, must not leave it running
            process.kill()
            raise
    print()
    if process.returncode:
        print(log.read_text()[-2000:], file=sys.stderr)
        sys.exit(f'demo: the {name} training failed, see {work_dir}')
    return work_dir


def show(name: str, log: Path, seconds: float) -> None:
    """Print the training's progress in one line."""
    seen = re.findall(r'Epoch\(train\)\s+\[(\d+)\]', log.read_text())
    epoch = seen[-1] if seen else '0'
    end = '\r' if sys.stdout.isatty() else '\n'
    if sys.stdout.isatty() or int(seconds) % 20 == 0:
        line = f'{name:<9} epoch {epoch:>2}, {seconds:4.0f} s'
        print(line, end=end, flush=True)
