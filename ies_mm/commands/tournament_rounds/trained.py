"""Training an entry with a seed, unless it has already been trained."""

import argparse
from pathlib import Path
from typing import Any

from mmengine.config import Config

from ies_mm.commands.tournament_rounds.entries import ENTRIES, filled
from ies_mm.commands.train import check
from ies_mm.commands.trainings import ENDED, check_same, train_once
from ies_mm.configuring.pipelines import mixes_at_first
from ies_mm.configuring.reading import selection_hooks
from ies_mm.configuring.speedup_option import shortfall
from ies_mm.errors import ConfigError


def check_entry(args: argparse.Namespace, name: str) -> None:
    """Refuse an entry that could not be trained, before any is.

    Raises:
        ConfigError: It cannot be trained, or a folder holds a run with other
            settings.
    """
    for seed in range(args.seeds):
        command, said = _training(args, seed, name)
        check_same(_work_dir(args, seed, name), said)
    if len(ended(args, name)) >= args.seeds:
        return
    try:
        _check_reach(check(list(map(str, command))))
    except ConfigError as error:
        raise ConfigError(
            f'{name}: {error}; or leave {name} out of --entries'
        ) from error


def _check_reach(cfg: Config) -> None:
    """Refuse a method that cannot save as much as the others.

    Raises:
        ConfigError: The training has too few epochs for it.
    """
    epochs = cfg.train_cfg.get('max_epochs')
    if epochs is None:
        return
    for _, hook in selection_hooks(cfg):
        if reason := shortfall(hook, epochs, mixes_at_first(cfg)):
            raise ConfigError(reason)


def run(args: argparse.Namespace, seed: int, name: str) -> None:
    """Train one entry with one seed, in a separate process.

    Raises:
        ConfigError: The training failed, or the folder holds one with other
            settings.
    """
    command, said = _training(args, seed, name)
    work_dir = _work_dir(args, seed, name)
    if train_once(work_dir, command, said, args.threads):
        print(f'{name}, seed {seed}: trained', flush=True)


def _training(
    args: argparse.Namespace, seed: int, name: str
) -> tuple[list[Any], str]:
    """Arguments of ``ies-mm train``, and its settings and config in words."""
    arguments, options = filled(ENTRIES[name], args.saved, args.length)
    settings = [*args.options, *options, f'randomness.seed={seed}']
    said = ' '.join(map(str, [args.config, *arguments, *settings]))
    command = [args.config, *arguments, '--cfg-options', *settings]
    return command, f'{said}\n{args.text}'


def _work_dir(args: argparse.Namespace, seed: int, name: str) -> Path:
    folder: Path = args.out / name / f'seed{seed}'
    return folder


def ended(args: argparse.Namespace, name: str) -> list[Path]:
    """The finished runs of an entry."""
    return sorted(end.parent for end in (args.out / name).glob(f'*/{ENDED}'))
