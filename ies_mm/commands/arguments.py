"""What the commands share: reading a config, one line per error."""

import argparse
import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError

from mmengine.config import Config, DictAction

import ies_mm.engine  # noqa: F401  (the hooks and the sampler by name)
from ies_mm.commands.parser import Parser
from ies_mm.configs import PREFIX, config_path
from ies_mm.errors import ConfigError
from ies_mm.training.method_option import swap_method

METHODS = Path(config_path('_base_/methods'))


def parser(description: str | None, prog: str) -> argparse.ArgumentParser:
    """The arguments of every command that reads a config."""
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
    # torchrun of old PyTorch versions passes it.
    result.add_argument('--local_rank', '--local-rank', type=int, default=0)
    return result


class _Settings(DictAction):
    """MMEngine's action, with one line instead of a traceback."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        try:
            super().__call__(parser, namespace, values, option_string)
        except ValueError:
            parser.error(f'{option_string} {" ".join(values)}: give KEY=VALUE')
        except RecursionError:  # of MMEngine's own parser
            parser.error(
                f'{option_string} {" ".join(values)}: a dict is given key by '
                'key: KEY._delete_=True KEY.type=TYPE KEY.NAME=VALUE'
            )


def read_config(args: argparse.Namespace, method: str | None = None) -> Config:
    """The config with the command line's changes.

    Args:
        args (Namespace): What :func:`parser` read.
        method (str, optional): Of the selection, in the place of the
            config's own, before the options. Defaults to None.

    Raises:
        ConfigError: There is no such file, or it cannot be read.
    """
    path = Path(args.config)
    if args.config.startswith(PREFIX):
        path = Path(config_path(args.config.removeprefix(PREFIX)))
    if not path.is_file():
        reason = f'there is no config file {path}'
        if path.parent.name == 'methods':  # those of 0.1.0
            reason += '; give the config of the data, and --method NAME'
        raise ConfigError(reason)
    try:
        cfg = Config.fromfile(path)
        if method is not None:
            cfg = swap_method(cfg, method, METHODS)
        cfg.merge_from_dict(args.cfg_options)
    except ConfigError:
        raise
    except Exception as error:  # whatever a config file may raise
        reason = ' '.join(str(error).split())
        raise ConfigError(
            f'{args.config} cannot be read: {type(error).__name__}: {reason}'
            f'{_instead(path)}'
        ) from error
    cfg.launcher = args.launcher
    if args.work_dir is not None:
        cfg.work_dir = args.work_dir
    elif cfg.get('work_dir') is None:
        cfg.work_dir = str(Path('work_dirs', _name(path, method)))
    elif method is not None:
        cfg.work_dir += f'_{method}'
    return cfg


def _instead(path: Path) -> str:
    """What to write where MMEngine would have to know our package."""
    if path.suffix != '.py' or PREFIX not in path.read_text(errors='replace'):
        return ''
    return (
        f'; MMEngine knows no {PREFIX}, write '
        "_base_ = __import__('ies_mm').config_path('NAME')"
    )


def _name(path: Path, method: str | None) -> str:
    """Of the work directory; another config's own is not taken."""
    if method is None:
        return path.stem
    name = f'{method}_{path.stem.removeprefix("ies_")}'
    taken = path.with_name(f'{name}.py').exists()
    return f'{path.stem}_method_{method}' if taken else name


@contextmanager
def one_line_errors(name: str) -> Iterator[None]:
    """Turn what a user can mend into one line and exit status 2."""
    # Names of files need not be Unicode.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors='backslashreplace')
    try:
        yield
    except ConfigError as error:
        reason = str(error)
    except URLError as error:
        reason = f'a download failed: {error.reason}; fetch it by hand'
    else:
        return
    print(f'{name}: error: {reason}', file=sys.stderr)
    sys.exit(2)
