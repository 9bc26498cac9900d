"""Locations of the shipped configs."""

from pathlib import Path

from ies_mm.errors import ConfigError
from ies_mm.spelling import did_you_mean

_SHIPPED = Path(__file__).parent / '.mim' / 'configs'
_CHECKOUT = Path(__file__).parents[1] / 'configs'

CONFIGS = _SHIPPED if _SHIPPED.is_dir() else _CHECKOUT
"""OpenMMLab's usual folder in a wheel. In a checkout, that folder is a link to
``configs/``, which some ways of copying a checkout drop."""

PREFIX = 'ies_mm::'


def config_path(name: str) -> str:
    """Return the path of a shipped config, also for use in ``_base_``.

    MMEngine's own ``'package::path'`` supports only OpenMMLab's packages, so
    a config that builds on a shipped one writes::

        _base_ = __import__('ies_mm').config_path('faster_rcnn_voc.py')

    Args:
        name (str): Name of the config, e.g. ``'cifar/resnet18_cifar10.py'``.

    Returns:
        str: Path of the config.

    Raises:
        ConfigError: There is no such config.
    """
    path = CONFIGS / name
    if not path.exists():
        raise ConfigError(
            f'{PREFIX}{name}: there is no such config; `ies-mm configs` '
            f'lists them{did_you_mean(name, config_names())}'
        )
    return str(path)


def config_names() -> list[str]:
    """Names of the shipped configs, without those in ``_base_``."""
    # rglob does not follow the symlink of a checkout.
    root = CONFIGS.resolve()
    names = [path.relative_to(root) for path in sorted(root.rglob('*.py'))]
    return [name.as_posix() for name in names if name.parts[0] != '_base_']
