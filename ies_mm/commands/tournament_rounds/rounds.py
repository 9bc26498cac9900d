"""Train seed after seed; drop methods clearly below random pruning."""

import argparse
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from ies_mm.commands.tournament_rounds.trained import check_entry, ended, run
from ies_mm.report.comparing.comparison import compare_runs
from ies_mm.report.comparing.differences import Difference
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
    """Entries not clearly below random pruning; the controls always stay."""
    found = {name: _over_random(args, name) for name in entrants}
    judged = [difference for difference in found.values() if difference]
    for name, difference in found.items():
        # Corrected for judging that many entries at once.
        if difference and difference.sign_among(len(judged)) == -1:
            print(f'{name}: clearly below random pruning, dropped')
        else:
            yield name


def _over_random(args: argparse.Namespace, name: str) -> Difference | None:
    """An entry's difference from random pruning; None if it has none.

    Controls have none, nor have variants of random pruning that are drawn
    anew in each epoch.
    """
    ours, random = ended(args, name), ended(args, 'random')
    if name in CONTROLS or not random:
        return None
    for row in compare_runs([*ours, *random]).rows:
        for difference in row.differences:
            if difference.kind == RANDOM:
                return difference
    return None
