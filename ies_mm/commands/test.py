"""Test a checkpoint with the config it was trained with."""

import os
from collections.abc import Sequence
from pathlib import Path

from ies_mm.commands.arguments import one_line_errors, parser, read_config
from ies_mm.commands.processes import processes
from ies_mm.commands.runner import runner_of
from ies_mm.configuring.files import check_files
from ies_mm.errors import ConfigError


def main(argv: Sequence[str] | None = None, prog: str = 'ies-mm test') -> None:
    """Read the arguments, check the files, test."""
    arguments = parser(__doc__, prog)
    arguments.add_argument('checkpoint', help='path of the checkpoint')
    args = arguments.parse_args(argv)
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    with one_line_errors(prog):
        cfg = read_config(args)
        if not Path(args.checkpoint).is_file():
            raise ConfigError(f'there is no checkpoint {args.checkpoint}')
        parts = ('test_dataloader', 'test_cfg', 'test_evaluator')
        if any(cfg.get(part) is None for part in parts):
            raise ConfigError(
                'the config has no test_dataloader, test_cfg or '
                'test_evaluator; set them to those of the validation'
            )
        check_files(cfg, 'test_dataloader')
        # The config of a resumed run would have the test resume, too.
        cfg.load_from, cfg.resume = args.checkpoint, False
        with processes(cfg):
            runner_of(cfg).test()
