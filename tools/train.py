#!/usr/bin/env python
"""Train a model of OpenMMLab from a config, with or without IES."""

import argparse
import os
from pathlib import Path

from _command import one_line_errors, parser, read_config
from _processes import processes
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.runner import Runner

from ies_mm.engine.preflight import check_config
from ies_mm.errors import ConfigError


def main() -> None:
    """Read the arguments, check the config, train."""
    arguments = parser(__doc__)
    arguments.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        metavar='CKPT',
        help='go on from a checkpoint, by default the newest in the work dir',
    )
    arguments.add_argument(
        '--amp', action='store_true', help='automatic mixed precision'
    )
    args = arguments.parse_args()
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    with one_line_errors('tools/train.py'):
        cfg = read_config(args)
        _apply(cfg, args)
        check_config(cfg)
        with processes(cfg):
            Runner.from_cfg(cfg).train()


def _apply(cfg: Config, args: argparse.Namespace) -> None:
    if args.amp:
        if get_device() == 'cpu':
            raise ConfigError('--amp needs an accelerator, found the CPU only')
        cfg.optim_wrapper.type = 'AmpOptimWrapper'
        cfg.optim_wrapper.setdefault('loss_scale', 'dynamic')
    if args.resume is not None:
        if args.resume != 'auto' and not Path(args.resume).is_file():
            raise ConfigError(f'--resume: there is no file {args.resume}')
        cfg.resume = True
        cfg.load_from = None if args.resume == 'auto' else args.resume


if __name__ == '__main__':
    main()
