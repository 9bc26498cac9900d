"""Train every method and every control at the same saved share, by seeds.

Runs that are finished are kept, so a tournament that was stopped goes on with
the same command. After three seeds what is clearly below random removal of as
many images is not trained further.
"""

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from mmengine.config import Config

from ies_mm.commands.arguments import one_line_errors
from ies_mm.commands.parser import Parser
from ies_mm.core.budget import MOST_LEFT_OUT
from ies_mm.errors import ConfigError
from ies_mm.report.compare import compare, table
from ies_mm.report.comparing.comparison import compare_runs
from ies_mm.report.reading.methods import RANDOM
from ies_mm.training.preflight import selection_hooks

TRAIN = (sys.executable, '-m', 'ies_mm', 'train')
HOOK = 'default_hooks.ies'
ENDED = 'trained_to_the_end'
"""A file in the folder of such a run, with what it was trained by."""

ROUNDS = 3
"""Seeds after which a method may be dropped."""

INFOBATCH_SAVES = 0.47
"""What InfoBatch saves at a ratio of 1 in 20 epochs, about: its annealing and
the images above the mean are kept."""


@dataclass(frozen=True)
class Entry:
    """A method or a control.

    Attributes:
        arguments (tuple): Of ``ies-mm train``.
        options (tuple): Of its ``--cfg-options``. In both, ``{saved}``,
            ``{rest}`` and ``{ratio}`` are filled in.
    """

    arguments: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


def _budget(name: str, argument: str, *more: str) -> Entry:
    """A method on a budget that is given as a dict."""
    place = f'{HOOK}.{argument}'
    dict_of_it = (f'{place}.type=Budget', f'{place}.saved={{saved}}')
    return Entry(('--method', name), (*dict_of_it, *more))


def _random(*more: str) -> Entry:
    return Entry(
        ('--method', 'random_removal'),
        (f'{HOOK}.saved={{saved}}', *more),
    )


ENTRIES = {
    'plain': Entry(),
    'short': Entry(('--length', '{rest}')),
    'random': _random(),
    'random_even': Entry(
        ('--method', 'random_removal'),
        (
            f'{HOOK}._delete_=True', f'{HOOK}.type=RandomRemovalHook',
            f'{HOOK}.begin=6', f'{HOOK}.ratio.type=Budget',
            f'{HOOK}.ratio.saved={{saved}}', f'{HOOK}.ratio.course=even',
        ),
    ),
    'random_annealed': _random(f'{HOOK}.anneal=0.05'),
    'random_static': _random(f'{HOOK}.static=True'),
    'ies': Entry(('--method', 'ies'), (f'{HOOK}.saved={{saved}}',)),
    'ies_scored': _budget(
        'ies_spaced', 'delta', f'{HOOK}.refresh_interval=1'
    ),
    'ies_by_class': _budget(
        'ies_spaced', 'delta', f'{HOOK}.delta.by_class=True'
    ),
    'ies_mean': _budget(
        'ies_spaced', 'delta', f'{HOOK}.order=0', f'{HOOK}.window=5'
    ),
    'soft_ies': Entry(('--method', 'soft_ies'), (f'{HOOK}.saved={{saved}}',)),
    'soft_ies_unweighted': Entry(
        ('--method', 'soft_ies'),
        (f'{HOOK}.saved={{saved}}', f'{HOOK}.weighted=False'),
    ),
    'infobatch': Entry(
        ('--method', 'infobatch'), (f'{HOOK}.ratio={{ratio}}',)
    ),
    'batch_loss_score': Entry(
        ('--method', 'batch_loss_score'), (f'{HOOK}.ratio={{ratio}}',)
    ),
    'progressive_dropout': _budget(
        'ies_spaced', 'delta', f'{HOOK}.order=0', f'{HOOK}.window=1',
        f'{HOOK}.refresh_interval=1', f'{HOOK}.anneal=0.05',
    ),
}  # fmt: skip


def main(
    argv: Sequence[str] | None = None, prog: str = 'ies-mm tournament'
) -> None:
    """Train seed after seed, then compare."""
    args = _arguments(argv, prog)
    with one_line_errors(prog):
        _check_plain(args.config)
        _hold(args)


def _hold(args: argparse.Namespace) -> None:
    entrants = list(args.entries)
    for seed in range(args.seeds):
        with ThreadPoolExecutor(args.jobs) as jobs:
            list(jobs.map(partial(_run, args, seed), entrants))
        if seed + 1 >= ROUNDS:
            entrants = list(_left(args, entrants))
    runs = [run for name in args.entries for run in _ended(args, name)]
    print(table(compare(runs, args.out / 'compare')))


def _check_plain(path: Path) -> None:
    if not path.is_file():
        raise ConfigError(f'there is no config file {path}')
    if hooks := dict(selection_hooks(Config.fromfile(path))):
        raise ConfigError(
            f'{path} has {", ".join(hooks)}; give the plain config, the '
            'tournament puts every method into it'
        )


def _run(args: argparse.Namespace, seed: int, name: str) -> None:
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


def filled(entry: Entry, saved: float) -> tuple[list[str], list[str]]:
    """Arguments and options of an entry that is to save a share."""
    values = dict(
        saved=saved,
        rest=round(1 - saved, 6),
        ratio=round(min(saved / INFOBATCH_SAVES, 0.95), 4),
    )
    return (
        [part.format(**values) for part in entry.arguments],
        [part.format(**values) for part in entry.options],
    )


def _left(args: argparse.Namespace, entrants: list[str]) -> Iterator[str]:
    """Those that are not clearly below random removal; the controls stay."""
    for name in entrants:
        ours, random = _ended(args, name), _ended(args, 'random')
        is_control = name in ('plain', 'short', 'random')
        if is_control or not random or not _is_below(ours, random):
            yield name
        else:
            print(f'{name}: clearly below random removal, no further seeds')


def _ended(args: argparse.Namespace, name: str) -> list[Path]:
    """The runs of an entry that were trained to the end."""
    return sorted(end.parent for end in (args.out / name).glob(f'*/{ENDED}'))


def _is_below(ours: list[Path], random: list[Path]) -> bool:
    rows = compare_runs([*ours, *random]).rows
    found = [
        difference
        for row in rows
        for difference in row.differences
        if difference.kind == RANDOM
    ]
    return any(difference.sign < 0 for difference in found)


def count(word: str) -> int:
    """An argument of 1 or more."""
    if not word.isdecimal() or int(word) < 1:
        raise argparse.ArgumentTypeError(f'{word}: give a number from 1 on')
    return int(word)


def share(word: str) -> float:
    """An argument between 0 and 0.9."""
    try:
        value = float(word)
    except ValueError:
        value = 0.0
    if not 0 < value <= MOST_LEFT_OUT:
        raise argparse.ArgumentTypeError(
            f'{word}: give a share above 0, at most {MOST_LEFT_OUT}'
        )
    return value


def _arguments(argv: Sequence[str] | None, prog: str) -> argparse.Namespace:
    arguments = Parser(
        prog=prog,
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    arguments.add_argument('config', type=Path, help='a plain config')
    arguments.add_argument(
        '--saved',
        type=share,
        default=0.2,
        help='the share that each method saves; InfoBatch, which has no '
        'budget, about as much (default: 0.2)',
    )
    arguments.add_argument(
        '--seeds', type=count, default=5, help='(default: 5)'
    )
    arguments.add_argument(
        '--entries',
        nargs='+',
        choices=ENTRIES,
        default=list(ENTRIES),
        help='(default: all)',
    )
    arguments.add_argument(
        '--out', type=Path, required=True, help='folder of the runs'
    )
    arguments.add_argument(
        '--jobs', type=count, default=2, help='at a time (default: 2)'
    )
    arguments.add_argument(
        '--threads', type=count, default=1, help='of a run (default: 1)'
    )
    arguments.add_argument(
        '--options',
        nargs='+',
        default=[],
        metavar='KEY=VALUE',
        help='settings of the config, for every run',
    )
    args = arguments.parse_args(argv)
    args.entries = list(dict.fromkeys(args.entries))
    return args
