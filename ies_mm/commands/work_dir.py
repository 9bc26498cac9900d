"""Reading of a run's own config, and use of its own code."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mmengine.config import Config

from ies_mm.errors import ConfigError
from ies_mm.report.reading.parts import read_parts
from ies_mm.report.reading.sections import fault_of


def dumped_config(work_dir: Path) -> Config:
    """Read the config of the last training; empty if none was dumped.

    Args:
        work_dir (Path): Work directory of the training.

    Raises:
        ConfigError: It cannot be read.
    """
    if not [*work_dir.glob('*/vis_data/config.py')]:
        return Config()
    # Not the newest one, which may be of a test.
    dumped = read_parts(work_dir)[-1].folder / 'vis_data' / 'config.py'
    with one_line(f'{dumped} cannot be read'):
        config = Config.fromfile(dumped)
        if fault := fault_of(config.to_dict()):
            raise ConfigError(f'{dumped} cannot be read: {fault}')
    return config


@contextmanager
def one_line(what: str) -> Iterator[None]:
    """Report whatever a run's own files and code raise in one line.

    Args:
        what (str): What failed.

    Raises:
        ConfigError: ``what``, and why.
    """
    try:
        yield
    except ConfigError:
        raise
    except Exception as error:
        reason = ' '.join(str(error).split())
        raise ConfigError(
            f'{what}: {type(error).__name__}: {reason:.300}'
        ) from error
