"""The program ``ies-mm`` and its commands."""

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module

from ies_mm import __version__
from ies_mm.commands.parser import Parser

COMMANDS = {
    'train': 'train a config, with or without IES',
    'test': 'evaluate a checkpoint',
    'compare': 'compare runs: a table, curves and a page',
    'calibrate': 'check in a dry run whether the criterion beats noise',
    'tournament': 'train every method and every control on your data',
    'forgetting': 'what a detector still finds on the images it pruned first',
    'label-errors': 'rank the images of a run by suspicion of their labels',
    'demo': 'make a small dataset, train on it in seven ways, compare',
    'configs': 'list the configs that can be given as ies_mm::NAME',
    'make-voc': 'generate a small dataset in PASCAL VOC format',
    'get-voc': 'download PASCAL VOC 2007 or 2012',
    'make-noisy-labels': 'make noisy labels to train on',
}


REPORT = ('jinja2', 'matplotlib', 'scipy')
"""Libraries that the extra ``report`` installs."""


def main(argv: Sequence[str] | None = None) -> int | None:
    """Run the command named by the first word.

    Args:
        argv (sequence of str, optional): Words of the command line. Defaults
            to None, which means ``sys.argv[1:]``.

    Returns:
        int, optional: The exit status; None for 0.
    """
    words = sys.argv[1:] if argv is None else list(argv)
    command = _parser().parse_args(words[:1]).command
    return call(command, words[1:], prog=f'ies-mm {command}')


def call(
    command: str, argv: Sequence[str] | None = None, *, prog: str
) -> int | None:
    """Run a command under the name that the user typed.

    Args:
        command (str): One of :data:`COMMANDS`.
        argv (sequence of str, optional): See :func:`main`.
        prog (str): The name to show in help and errors.

    Returns:
        int, optional: The exit status; None for 0.
    """
    try:
        # Only now, so that a missing library stops only the commands that use
        # it.
        module = import_module(f'ies_mm.commands.{command.replace("-", "_")}')
    except ModuleNotFoundError as error:
        library = (error.name or '').partition('.')[0]
        if library == 'ies_mm':
            raise
        how = 'docs/install.md lists what else ies-mm needs'
        if library in REPORT:
            how = "install it with pip install 'ies-mm[report]'"
        print(f'{prog}: error: {error}; {how}', file=sys.stderr)
        return 2
    try:
        status: int | None = module.main(argv, prog)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        print(f'{prog}: interrupted', file=sys.stderr)
        return 128 + signal.SIGINT
    return status


def _parser() -> Parser:
    width = max(map(len, COMMANDS))
    parser = Parser(
        prog='ies-mm',
        usage='%(prog)s [-h] [--version] COMMAND ...',
        description='Instance-dependent Early Stopping for OpenMMLab.',
        epilog='commands:\n'
        + '\n'.join(f'  {k:<{width}}  {v}' for k, v in COMMANDS.items())
        + '\n\n`ies-mm COMMAND --help` shows the arguments of a command.',
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        '--version', action='version', version=f'ies-mm {__version__}'
    )
    parser.add_argument(
        'command', metavar='COMMAND', choices=COMMANDS, help='see below'
    )
    return parser
