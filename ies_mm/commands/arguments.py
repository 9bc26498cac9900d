"""Shared by the commands: reading a config, one-line errors."""

import argparse
import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError

from mmengine.config import Config, DictAction

import ies_mm.engine  # noqa: F401  (registers the hooks and the sampler)
from ies_mm.commands.parser import Parser
from ies_mm.configs import PREFIX, config_path
from ies_mm.configuring.method_option import swap_method
from ies_mm.configuring.shape import check_shape
from ies_mm.errors import ConfigError

METHODS = Path(config_path('_base_/methods'))


def parser(description: str | None, prog: str) -> argparse.ArgumentParser:
    """Return a parser with the arguments that every config command takes."""
    result = Parser(prog=prog, description=description)
    result.add_argument(
        'config',
        help='path of the config file, or ies_mm::NAME for a shipped one',
    )
    result.add_argument('--work-dir', help='folder of logs and checkpoints')
    result.add_argument(
        '--cfg-options',
        nargs='+',
        action=_Settings,
        default={},
        metavar='KEY=VALUE',
        help='override settings of the config',
    )
    result.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='how the processes of a distributed run were started',
    )
    # torchrun passes it in old PyTorch versions.
    result.add_argument('--local_rank', '--local-rank', type=int, default=0)
    return result


class _Settings(DictAction):
    """MMEngine's action with a one-line error instead of a traceback."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        try:
            super().__call__(parser, namespace, values, option_string)
        except (ValueError, AssertionError):  # of an unclosed bracket
            parser.error(f'{option_string} {" ".join(values)}: give KEY=VALUE')
        except RecursionError:  # raised by MMEngine's own parser
            parser.error(
                f'{option_string} {" ".join(values)}: give a dict key by '
                'key: KEY._delete_=True KEY.type=TYPE KEY.NAME=VALUE'
            )


def config_file(name: str) -> Path:
    """The path of a config.

    Args:
        name (str): A path, or ``ies_mm::NAME`` for a shipped config.

    Raises:
        ConfigError: The file does not exist.
    """
    path = Path(name)
    if name.startswith(PREFIX):
        path = Path(config_path(name.removeprefix(PREFIX)))
    if not path.is_file():
        reason = f'there is no config file {path}'
        if path.parent.name == 'methods':  # a config folder of 0.1.0
            reason += '; give the config of the data, and --method NAME'
        raise ConfigError(reason)
    return path


@contextmanager
def readable(name: str) -> Iterator[None]:
    """Turn any error of reading a config into one line.

    Args:
        name (str): See :func:`config_file`.

    Raises:
        ConfigError: The config cannot be read.
    """
    try:
        yield
    except ConfigError:
        raise
    except Exception as error:  # a config file may raise anything
        reason = ' '.join(str(error).split())
        raise ConfigError(
            f'{name} cannot be read: {type(error).__name__}: {reason}'
            f'{_instead(config_file(name))}'
        ) from error


def read_config(args: argparse.Namespace, method: str | None = None) -> Config:
    """Read the config and apply the command line's changes.

    Args:
        args (Namespace): Arguments parsed by :func:`parser`.
        method (str, optional): Selection method that replaces the config's
            own, before the options are applied. Defaults to None.

    Raises:
        ConfigError: The file does not exist or cannot be read.
    """
    path = config_file(args.config)
    with readable(args.config):
        cfg = Config.fromfile(path)
        if method is None:
            cfg.merge_from_dict(args.cfg_options)
        else:
            cfg = swap_method(cfg, method, METHODS, args.cfg_options)
    check_shape(cfg)
    cfg.launcher = args.launcher
    if args.work_dir is not None:
        cfg.work_dir = args.work_dir
    elif cfg.get('work_dir') is None:
        cfg.work_dir = str(Path('work_dirs', _name(path, method)))
    elif method is not None:
        # After a slash, the suffix would name a subfolder.
        cfg.work_dir = cfg.work_dir.rstrip('/') + f'_{method}'
    if Path(cfg.work_dir).is_file():
        raise ConfigError(
            f'the work dir {cfg.work_dir} is a file; give a folder'
        )
    return cfg


def _instead(path: Path) -> str:
    """What to write instead of a ``_base_`` that MMEngine cannot resolve."""
    if path.suffix != '.py' or PREFIX not in path.read_text(errors='replace'):
        return ''
    return (
        f'; MMEngine does not know {PREFIX}, write '
        "_base_ = __import__('ies_mm').config_path('NAME')"
    )


def _name(path: Path, method: str | None) -> str:
    """Name of the work directory, avoiding that of another config."""
    if method is None:
        return path.stem
    name = f'{method}_{path.stem.removeprefix("ies_")}'
    taken = path.with_name(f'{name}.py').exists()
    return f'{path.stem}_method_{method}' if taken else name


@contextmanager
def one_line_errors(name: str) -> Iterator[None]:
    """Turn errors that a user can fix into one line and exit status 2."""
    # File names need not be valid Unicode.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors='backslashreplace')
    try:
        yield
    except ConfigError as error:
        reason = str(error)
    except URLError as error:
        reason = f'a download failed: {error.reason}; download it manually'
    else:
        return
    print(f'{name}: error: {reason}', file=sys.stderr)
    sys.exit(2)
