"""Train seed after seed; drop methods clearly below random removal."""

import argparse
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from ies_mm.commands.tournament_rounds.trained import check_entry, ended, run
from ies_mm.report.comparing.comparison import compare_runs
from ies_mm.report.comparing.differences import sign_of
from ies_mm.report.reading.methods import RANDOM

CONTROLS = ('plain', 'short', 'random')
ROUNDS = 3
"""Seeds after which a method may be dropped."""


def hold(args: argparse.Namespace) -> None:
    """Train every remaining entry with every seed.

    Raises:
        ConfigError: An entry cannot be trained; said before any is.
    """
    entrants = list(args.entries)
    for name in entrants:
        check_entry(args, name)
    for seed in range(args.seeds):
        with ThreadPoolExecutor(args.jobs) as jobs:
            # Reading the results raises the error of a failed training.
            list(jobs.map(partial(run, args, seed), entrants))
        if seed + 1 >= ROUNDS:
            entrants = list(_left(args, entrants))


def _left(args: argparse.Namespace, entrants: list[str]) -> Iterator[str]:
    """Entries not clearly below random removal; the controls always stay."""
    judged = sum(name not in CONTROLS for name in entrants)
    for name in entrants:
        ours, random = ended(args, name), ended(args, 'random')
        if (
            name in CONTROLS
            or not random
            or not _is_below(ours, random, judged)
        ):
            yield name
        else:
            print(f'{name}: clearly below random removal, dropped')


def _is_below(ours: list[Path], random: list[Path], judged: int) -> bool:
    """Whether it is, corrected for judging that many entries at once."""
    rows = compare_runs([*ours, *random]).rows
    found = [
        difference
        for row in rows
        for difference in row.differences
        if difference.kind == RANDOM
    ]
    return any(sign_of(d.interval_among(judged)) < 0 for d in found)
