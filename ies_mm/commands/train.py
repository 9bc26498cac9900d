"""Train an OpenMMLab model from a config, with or without IES."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.device import get_device
from mmengine.runner import find_latest_checkpoint

from ies_mm.commands.arguments import (
    METHODS,
    one_line_errors,
    parser,
    read_config,
)
from ies_mm.commands.parser import integer, number
from ies_mm.commands.processes import processes
from ies_mm.commands.runner import runner_of
from ies_mm.configuring.method_option import import_ours, method_names
from ies_mm.configuring.preflight import check_config
from ies_mm.configuring.reading import selection_hooks
from ies_mm.configuring.shorter import shorten
from ies_mm.configuring.speedup_option import speed_up
from ies_mm.errors import ConfigError

LARGEST_SEED = 2**32 - 1
"""NumPy takes no larger one."""


def main(
    argv: Sequence[str] | None = None, prog: str = 'ies-mm train'
) -> None:
    """Read the arguments, check the config, train."""
    args = _arguments(argv, prog)
    # MMEngine reads the variable; old launchers pass an argument instead.
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    with one_line_errors(prog):
        cfg = _checked(args)
        with processes(cfg):
            runner = runner_of(cfg)
            _warn_of_overwriting(runner)
            runner.train()


def check(argv: Sequence[str]) -> Config:
    """Refuse what the command would refuse before it trains.

    Args:
        argv (sequence of str): Arguments of the command.

    Returns:
        Config: What it would train.

    Raises:
        ConfigError: The training cannot work.
    """
    return _checked(_arguments(argv, 'ies-mm train'))


def _checked(args: argparse.Namespace) -> Config:
    """The config that the arguments ask for."""
    cfg = read_config(args, args.method)
    if args.length is not None:
        cfg = shorten(cfg, args.length)
    if args.speedup is not None:
        speed_up(cfg, args.speedup, args.cfg_options)
    if args.work_dir is None:
        # After a slash, the suffix would name a subfolder.
        cfg.work_dir = cfg.work_dir.rstrip('/') + _of_options(args)
    _apply(cfg, args)
    check_config(cfg)
    if [*selection_hooks(cfg)]:
        import_ours(cfg)
    return cfg


def _arguments(argv: Sequence[str] | None, prog: str) -> argparse.Namespace:
    arguments = parser(__doc__, prog)
    arguments.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        metavar='CKPT',
        help='resume from a checkpoint (default: the newest in the work dir)',
    )
    arguments.add_argument(
        '--amp', action='store_true', help='automatic mixed precision'
    )
    arguments.add_argument(
        '--method',
        metavar='NAME',
        help="train with this method instead of the config's: "
        + ', '.join(method_names(METHODS)),
    )
    arguments.add_argument(
        '--length',
        type=number(0, 10),
        metavar='SHARE',
        help='scale the training, with its schedules, to this share of its '
        'epochs or iterations: 0.6 for 60%%',
    )
    arguments.add_argument(
        '--speedup',
        type=number(1),
        metavar='TIMES',
        help='set the method so that the training computes 1 / TIMES of the '
        'full one, scoring included: 2 for twice as fast',
    )
    arguments.add_argument(
        '--seed',
        type=integer(0, LARGEST_SEED),
        metavar='N',
        help='set randomness.seed; the seed is added to the name of the '
        'default work dir, so that several can be compared',
    )
    arguments.add_argument(
        '--auto-scale-lr',
        action='store_true',
        help='scale the learning rate by the total batch size, from the '
        "config's auto_scale_lr.base_batch_size",
    )
    return arguments.parse_args(argv)


def _of_options(args: argparse.Namespace) -> str:
    """What distinguishes the work dir from that of the same config."""
    length = '' if args.length is None else f'_length_{args.length:g}'
    speed = '' if args.speedup is None else f'_speedup_{args.speedup:g}'
    return length + speed + ('' if args.seed is None else f'_seed_{args.seed}')


def _apply(cfg: Config, args: argparse.Namespace) -> None:
    if args.seed is not None:
        _seed(cfg, args.seed, args.cfg_options)
    if args.auto_scale_lr:
        _scale_learning_rate(cfg)
    if args.amp:
        _use_amp(cfg)
    if args.resume is not None:
        _resume(cfg, args.resume)
    if cfg.get('load_from') and _is_missing(cfg.load_from):
        raise ConfigError(f'load_from: there is no file {cfg.load_from}')


def _seed(cfg: Config, seed: int, options: dict[str, Any]) -> None:
    other = options.get('randomness.seed', seed)
    if other != seed:
        raise ConfigError(
            f'--seed {seed} and randomness.seed={other} in --cfg-options '
            'contradict each other; give one of them'
        )
    cfg.randomness = dict(cfg.get('randomness') or {}, seed=seed)


def _scale_learning_rate(cfg: Config) -> None:
    scaling = cfg.get('auto_scale_lr') or {}
    if not scaling.get('base_batch_size'):
        raise ConfigError(
            '--auto-scale-lr: the config has no auto_scale_lr.base_batch_size,'
            ' the total batch size of its learning rate'
        )
    cfg.auto_scale_lr.enable = True


def _use_amp(cfg: Config) -> None:
    if get_device() == 'cpu':
        raise ConfigError('--amp needs an accelerator, found only the CPU')
    cfg.optim_wrapper.type = 'AmpOptimWrapper'
    cfg.optim_wrapper.setdefault('loss_scale', 'dynamic')


def _resume(cfg: Config, checkpoint: str) -> None:
    """Have MMEngine resume; from ``'auto'``, if there is a checkpoint."""
    if checkpoint != 'auto' and not Path(checkpoint).is_file():
        raise ConfigError(f'--resume: there is no file {checkpoint}')
    cfg.resume = True
    if checkpoint != 'auto':
        cfg.load_from = checkpoint
    elif cfg.get('load_from') and not find_latest_checkpoint(cfg.work_dir):
        # The first start of a fine-tuning that is always told to resume.
        cfg.resume = False
    else:
        # Without load_from, MMEngine resumes from the newest checkpoint.
        cfg.load_from = None


def _warn_of_overwriting(runner: Any) -> None:
    """MMEngine overwrites the checkpoints of an earlier run silently."""
    mark = Path(runner.work_dir, 'last_checkpoint')
    if mark.is_file() and not runner.cfg.get('resume'):
        runner.logger.warning(
            f'{runner.work_dir} has checkpoints of an earlier run, which this '
            'run overwrites; --resume continues that run, another --work-dir '
            'keeps it'
        )


def _is_missing(path: str) -> bool:
    """Whether a local file is; URLs and OpenMMLab's names are not local."""
    return '://' not in path and not Path(path).expanduser().is_file()
