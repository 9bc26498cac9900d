"""Training an entry with a seed, unless that is done already."""

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

from ies_mm.commands.tournament_rounds.entries import ENTRIES, filled
from ies_mm.errors import ConfigError

TRAIN = (sys.executable, '-m', 'ies_mm', 'train')

ENDED = 'trained_to_the_end'
"""A file in the folder of such a run, with what it was trained by."""


def run(args: argparse.Namespace, seed: int, name: str) -> None:
    """Train one, in a process of its own.

    Raises:
        ConfigError: It failed, or was trained by other settings before.
    """
    work_dir = args.out / name / f'seed{seed}'
    arguments, options = filled(ENTRIES[name], args.saved)
    settings = [*args.options, *options, f'randomness.seed={seed}']
    command = [*TRAIN, args.config, '--work-dir', work_dir]
    command += [*arguments, '--cfg-options', *settings]
    said = ' '.join(map(str, [args.config, *arguments, *settings]))
    if (work_dir / ENDED).exists():
        _check_same(work_dir, said)
        return
    shutil.rmtree(work_dir, ignore_errors=True)
    work_dir.mkdir(parents=True)
    with (work_dir / 'output.log').open('w') as log:
        code = subprocess.call(
            list(map(str, command)),
            stdout=log,
            stderr=subprocess.STDOUT,
            env=os.environ | {'OMP_NUM_THREADS': str(args.threads)},
        )
    if code:
        raise ConfigError(f'a training failed, see {log.name}')
    (work_dir / ENDED).write_text(said)
    print(f'{name}, seed {seed}: trained', flush=True)


def _check_same(work_dir: Path, said: str) -> None:
    before = (work_dir / ENDED).read_text()
    if before != said:
        raise ConfigError(
            f'{work_dir} was trained by other settings ({before}; now {said})'
            '; give another --out'
        )


def ended(args: argparse.Namespace, name: str) -> list[Path]:
    """The runs of an entry that were trained to the end."""
    return sorted(end.parent for end in (args.out / name).glob(f'*/{ENDED}'))
