#!/usr/bin/env python
"""Measure what IES costs on this machine's GPU, and check that it works there.

costs: captured, weighted and scored steps against plain ones, for shipped
models. works: short trainings of a classifier, a detector and a segmentor in
many settings. paper: ResNet-18 on CIFAR-10 and its controls, for as many
epochs as fit. Each result is written as soon as it is available.
"""

import argparse
import importlib.util
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from gpu_checks.models import SHIPPED
from gpu_checks.table import PAGE, RUN, RUNS, gather, page, tables

from ies_mm.commands.arguments import one_line_errors
from ies_mm.errors import ConfigError

PARTS = ('costs', 'works', 'paper')
ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / 'shared/data/cifar10_jpeg.tar.gz'
SECONDS = {'costs': 235, 'works': 240, 'paper': 10**6}
"""Maximum time of each part, unless ``--minutes`` leaves less."""
MINUTES = 14
WANT_OPERATORS = ('costs', 'works')
PAUSE = 5
"""Seconds between two checks for mmcv's operators."""


def main() -> None:
    """Run the parts, one process each, and write the page."""
    args = _arguments()
    with one_line_errors('tools/gpu.py'):
        if args.add:
            _add(args.out, args.add)
            return
        args.out.mkdir(parents=True, exist_ok=True)
        if args.run:
            _run(args)
            return
        _write(args.out / 'machine.json', machine(args.device))
        end = time.monotonic() + args.minutes * 60
        for part in _in_order(args.parts):
            _wait_for_operators(part, end)
            left = min(SECONDS[part], end - time.monotonic())
            if part == 'paper' and not args.data.exists():
                print(f'paper: skipped, there is no {args.data}')
            elif left > 0:
                _in_a_process(part, args, left)
        print(tables(gather(args.out)))


def _add(out: Path, name: str) -> None:
    """Add the last run to the page."""
    if not (out / RUN).exists():
        raise ConfigError(f'{out} contains no run; run the parts first')
    RUNS.mkdir(exist_ok=True)
    shutil.copy(out / RUN, RUNS / f'{name}.json')
    PAGE.write_text(page(MINUTES))


def _in_order(parts: list[str]) -> list[str]:
    """Until mmcv's operators exist, parts that do not need them come first."""
    if _operators():
        return parts
    return sorted(parts, key=lambda part: part in WANT_OPERATORS)


def _operators() -> bool:
    importlib.invalidate_caches()
    return importlib.util.find_spec('mmcv._ext') is not None


def _wait_for_operators(part: str, end: float) -> None:
    """Wait until they are compiled; classifiers can work without them."""
    if part not in WANT_OPERATORS or _operators():
        return
    print(f"{part}: waiting for mmcv's operators", flush=True)
    while not _operators() and time.monotonic() < end - SECONDS[part]:
        time.sleep(PAUSE)


def machine(device: str) -> dict[str, Any]:
    """Card, driver and versions."""
    found: dict[str, Any] = dict(
        card='No GPU, on the CPU',
        date=time.strftime('%Y-%m-%d'),
        python=platform.python_version(),
        torch=torch.__version__,
    )
    for name in ('mmengine', 'mmcv', 'mmdet', 'mmseg', 'mmpretrain'):
        found[name] = __import__(name).__version__
    if device == 'cuda':
        found['card'] = torch.cuda.get_device_name()
        found['cuda'] = torch.version.cuda
        found['driver'] = subprocess.run(
            ['nvidia-smi', '--query-gpu=driver_version', '--format=csv'],
            capture_output=True,
            text=True,
            check=False,
        ).stdout.split('\n')[1]
    return found


def _in_a_process(part: str, args: argparse.Namespace, seconds: float) -> None:
    """Run a part so that a crash or a hang does not affect the others."""
    command = [sys.executable, __file__, '--run', part, '--out', args.out]
    command += ['--rehearse'] if args.rehearse else []
    command += ['--models', *args.models] if args.models else []
    command += ['--data', args.data, '--minutes', seconds / 60]
    command += ['--epochs', args.epochs] if args.epochs else []
    log = args.out / f'{part}.log'
    print(f'{part}: at most {seconds:.0f} s, log in {log}', flush=True)
    with log.open('w') as file:
        process = subprocess.Popen(
            list(map(str, command)),
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            process.wait(max(seconds, 1))
        except subprocess.TimeoutExpired:
            print(f'{part}: time is up; finished results are kept', flush=True)
        finally:
            _end(process)


def _end(process: subprocess.Popen) -> None:
    """End the process and everything it started, trainings and loaders."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _run(args: argparse.Namespace) -> None:
    if args.run == 'works':
        from gpu_checks.works import run_trainings

        run_trainings(args.out, args.device, args.rehearse)
        return
    if args.run == 'paper':
        from gpu_checks.paper import run_paper

        end = time.time() + args.minutes * 60
        run_paper(args.out, args.device, args.data, end, args.epochs)
        return
    from gpu_checks.costs import costs_of

    sizes = (2,) if args.rehearse else (16, 2)
    rounds, size = (1, 64) if args.rehearse else (15, None)
    for name in args.models or SHIPPED:
        done = 0
        try:
            for found in costs_of(name, sizes, rounds, args.device, size):
                _cost(args, found)
                done += 1
        except Exception as error:  # the other models go on
            text = f'{type(error).__name__}: {str(error)[:200]}'
            _cost(args, dict(model=name, images=sizes[done], error=text))
        if args.device == 'cuda':
            torch.cuda.empty_cache()


def _cost(args: argparse.Namespace, found: dict[str, Any]) -> None:
    name = f'{found["model"]}-{found["images"]}.json'
    _write(args.out / 'costs' / name, found)
    print(json.dumps(found), flush=True)


def _write(path: Path, value: dict[str, Any]) -> None:
    name = path.name.replace(' ', '_').replace('/', '-')
    path.parent.mkdir(parents=True, exist_ok=True)
    path.with_name(name).write_text(json.dumps(value, indent=1))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument('--parts', nargs='+', choices=PARTS, default=PARTS)
    parser.add_argument('--models', nargs='+', choices=list(SHIPPED))
    parser.add_argument('--minutes', type=float, default=MINUTES)
    parser.add_argument(
        '--data',
        type=Path,
        default=DATA,
        help='JPEG files of CIFAR-10, a folder or an archive; without them '
        'part paper is skipped',
    )
    parser.add_argument(
        '--epochs', type=int, help='epochs of part paper (default: what fits)'
    )
    parser.add_argument('--out', type=Path, default=Path('work_dirs/gpu'))
    parser.add_argument(
        '--rehearse', action='store_true', help='on the CPU, at toy size'
    )
    parser.add_argument(
        '--add', metavar='NAME', help=f'add the last run to {PAGE}, then stop'
    )
    parser.add_argument('--run', choices=PARTS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    args.device = 'cpu' if args.rehearse else 'cuda'
    if (
        not args.add
        and args.device == 'cuda'
        and not torch.cuda.is_available()
    ):
        parser.error('no CUDA device here; --rehearse runs on the CPU')
    return args


if __name__ == '__main__':
    main()
