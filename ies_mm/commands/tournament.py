"""Train every method and every control at the same saved share, seed by seed.

Finished runs are kept, so the same command continues a tournament that was
stopped. After three seeds, a method that is clearly below random pruning of as
many images is not trained any further.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from mmengine.config import Config
from mmengine.device import get_device

from ies_mm.commands.arguments import (
    config_file,
    one_line_errors,
    readable,
)
from ies_mm.commands.parser import Parser, integer, number
from ies_mm.commands.tournament_rounds.entries import ENTRIES
from ies_mm.commands.tournament_rounds.rounds import CONTROLS, hold
from ies_mm.commands.tournament_rounds.trained import ended
from ies_mm.configuring.reading import selection_hooks
from ies_mm.core.budget import MOST_LEFT_OUT
from ies_mm.errors import ConfigError
from ies_mm.report.compare import compare, table


def main(
    argv: Sequence[str] | None = None, prog: str = 'ies-mm tournament'
) -> None:
    """Train seed after seed, then compare."""
    args = _arguments(argv, prog)
    with one_line_errors(prog):
        args.text = _plain(args.config).pretty_text
        if lacking := [c for c in CONTROLS if c not in args.entries]:
            names = ', '.join(lacking)
            print(f'No comparison with {names}: not in --entries', flush=True)
        hold(args)
        runs = [run for name in args.entries for run in ended(args, name)]
        print(table(compare(runs, args.out / 'compare')))


def _plain(name: str) -> Config:
    """The config, unless it selects images itself."""
    with readable(name):
        cfg = Config.fromfile(config_file(name))
    if not cfg.get('train_cfg'):
        raise ConfigError(
            f'{name} has no train_cfg, so it trains nothing; give the config '
            'of a training'
        )
    if hooks := dict(selection_hooks(cfg)):
        raise ConfigError(
            f'{name} has {", ".join(hooks)}; give the plain config, the '
            'tournament adds the methods to it'
        )
    return cfg


def _arguments(argv: Sequence[str] | None, prog: str) -> argparse.Namespace:
    arguments = Parser(
        prog=prog,
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    arguments.add_argument(
        'config', help='a plain config, or ies_mm::NAME for a shipped one'
    )
    arguments.add_argument(
        '--saved',
        type=number(0, MOST_LEFT_OUT),
        default=0.2,
        help='the share that each method saves; InfoBatch, which has no '
        'budget, saves about as much (default: 0.2)',
    )
    arguments.add_argument(
        '--length',
        type=number(0, 10),
        default=1.0,
        metavar='SHARE',
        help='scale every run, with its schedules, to this share of the '
        "config's length (default: 1)",
    )
    arguments.add_argument(
        '--seeds',
        type=integer(1),
        default=5,
        help='number of seeds (default: 5)',
    )
    arguments.add_argument(
        '--entries',
        nargs='+',
        choices=ENTRIES,
        default=list(ENTRIES),
        help='methods and controls (default: all)',
    )
    arguments.add_argument(
        '--out', type=Path, required=True, help='folder of the runs'
    )
    arguments.add_argument(
        '--jobs',
        type=integer(1),
        default=2 if get_device() == 'cpu' else 1,
        help='runs at a time; all use the same accelerator (default: 1, and 2 '
        'without an accelerator)',
    )
    arguments.add_argument(
        '--threads',
        type=integer(1),
        default=1,
        help='threads per run (default: 1)',
    )
    arguments.add_argument(
        '--options',
        nargs='+',
        default=[],
        metavar='KEY=VALUE',
        help='override settings of the config in every run',
    )
    args = arguments.parse_args(argv)
    # With several jobs, a repeated entry would be trained twice at once in the
    # same folder.
    args.entries = list(dict.fromkeys(args.entries))
    return args
