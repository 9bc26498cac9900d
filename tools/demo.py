#!/usr/bin/env python
"""Make a small VOC data set, train plain and with IES, print one table."""

import argparse
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

from mmengine.config import Config

from ies_mm.report.summary import RunSummary, summarize, table

ROOT = Path(__file__).resolve().parents[1]
DATA = Path('data', 'demo')
WORK = Path('work_dirs', 'demo')
RUNS = {
    'plain': Path('configs', 'faster_rcnn_r18_demo.py'),
    'IES': Path('configs', 'ies_faster_rcnn_r18_demo.py'),
}
METRIC = 'pascal_voc/mAP'


def main() -> None:
    """Data, two trainings, the table."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument('--seed', type=int, default=0, help='of the runs')
    seed = arguments.parse_args().seed
    make_data()
    runs = [train(name, config, seed) for name, config in RUNS.items()]
    print(f'\n{table(runs)}\n')
    print(f'The files of the runs are in {WORK}/. What this shows and what')
    print('it cannot show: docs/demo.md.')


def make_data() -> None:
    """The images, the same in every run of the demo."""
    command = [sys.executable, 'tools/make_voc.py', str(DATA)]
    command += ['--images', '160', '--seed', '0']
    if subprocess.run(command, cwd=ROOT, check=False).returncode:
        sys.exit(1)


def train(name: str, config: Path, seed: int) -> RunSummary:
    """One training in a process of its own, its output in a log file."""
    work_dir = ROOT / WORK / name.lower()
    shutil.rmtree(work_dir, ignore_errors=True)
    work_dir.mkdir(parents=True)
    epochs = Config.fromfile(ROOT / config).train_cfg.max_epochs
    command = [sys.executable, 'tools/train.py', str(config)]
    command += ['--work-dir', str(work_dir)]
    command += ['--cfg-options', f'randomness.seed={seed}']
    log = work_dir / 'output.log'
    started = time.monotonic()
    with log.open('w') as output:
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT
        )
        while process.poll() is None:
            time.sleep(1)
            show(name, log, epochs, time.monotonic() - started)
    seconds = time.monotonic() - started
    print()
    if process.returncode:
        print(log.read_text()[-2000:], file=sys.stderr)
        sys.exit(f'demo: the {name} training failed, see {log}')
    return summarize(name, work_dir, METRIC, seconds)


def show(name: str, log: Path, epochs: int, seconds: float) -> None:
    """One line that says how far the training is."""
    seen = re.findall(r'Epoch\(train\)\s+\[(\d+)\]', log.read_text())
    epoch = seen[-1] if seen else '0'
    end = '\r' if sys.stdout.isatty() else '\n'
    if sys.stdout.isatty() or int(seconds) % 20 == 0:
        line = f'{name:<6} epoch {epoch:>2} of {epochs}, {seconds:4.0f} s'
        print(line, end=end, flush=True)


if __name__ == '__main__':
    main()
