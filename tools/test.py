#!/usr/bin/env python
"""Test a checkpoint with the config it was trained with."""

import os
from pathlib import Path

from command_line.config import one_line_errors, parser, read_config
from command_line.processes import processes
from mmengine.runner import Runner

from ies_mm.errors import ConfigError
from ies_mm.training.preflight import check_files


def main() -> None:
    """Read the arguments, check the files, test."""
    arguments = parser(__doc__)
    arguments.add_argument('checkpoint', help='path of the checkpoint')
    args = arguments.parse_args()
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    with one_line_errors('tools/test.py'):
        cfg = read_config(args)
        if not Path(args.checkpoint).is_file():
            raise ConfigError(f'there is no checkpoint {args.checkpoint}')
        check_files(cfg, 'test_dataloader')
        cfg.load_from = args.checkpoint
        with processes(cfg):
            Runner.from_cfg(cfg).test()


if __name__ == '__main__':
    main()
