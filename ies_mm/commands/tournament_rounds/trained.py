"""Training an entry with a seed, unless it has already been trained."""

import argparse
from pathlib import Path

from ies_mm.commands.tournament_rounds.entries import ENTRIES, filled
from ies_mm.commands.trainings import ENDED, train_once


def run(args: argparse.Namespace, seed: int, name: str) -> None:
    """Train one entry with one seed, in a separate process.

    Raises:
        ConfigError: The training failed, or the folder holds one with other
            settings.
    """
    arguments, options = filled(ENTRIES[name], args.saved)
    settings = [*args.options, *options, f'randomness.seed={seed}']
    command = [args.config, *arguments, '--cfg-options', *settings]
    said = ' '.join(map(str, [args.config, *arguments, *settings]))
    work_dir = args.out / name / f'seed{seed}'
    if train_once(work_dir, command, said, args.threads):
        print(f'{name}, seed {seed}: trained', flush=True)


def ended(args: argparse.Namespace, name: str) -> list[Path]:
    """The finished runs of an entry."""
    return sorted(end.parent for end in (args.out / name).glob(f'*/{ENDED}'))
