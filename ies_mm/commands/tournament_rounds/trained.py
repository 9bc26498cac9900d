"""Training an entry with a seed, unless that is done already."""

import argparse
from pathlib import Path

from ies_mm.commands.tournament_rounds.entries import ENTRIES, filled
from ies_mm.commands.trainings import ENDED, train_once


def run(args: argparse.Namespace, seed: int, name: str) -> None:
    """Train one, in a process of its own.

    Raises:
        ConfigError: It failed, or was trained by other settings before.
    """
    arguments, options = filled(ENTRIES[name], args.saved)
    settings = [*args.options, *options, f'randomness.seed={seed}']
    command = [args.config, *arguments, '--cfg-options', *settings]
    said = ' '.join(map(str, [args.config, *arguments, *settings]))
    work_dir = args.out / name / f'seed{seed}'
    if train_once(work_dir, command, said, args.threads):
        print(f'{name}, seed {seed}: trained', flush=True)


def ended(args: argparse.Namespace, name: str) -> list[Path]:
    """The runs of an entry that were trained to the end."""
    return sorted(end.parent for end in (args.out / name).glob(f'*/{ENDED}'))
