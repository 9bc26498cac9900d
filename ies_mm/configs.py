"""Where the configs are that are shipped."""

from pathlib import Path

from ies_mm.errors import ConfigError

_SHIPPED = Path(__file__).parent / '.mim' / 'configs'
_CHECKOUT = Path(__file__).parents[1] / 'configs'

CONFIGS = _SHIPPED if _SHIPPED.is_dir() else _CHECKOUT
"""In a wheel OpenMMLab's place for them; in a checkout that is a link to
``configs/``, which not every copy of a checkout keeps."""

PREFIX = 'ies_mm::'


def config_path(name: str) -> str:
    """The path of a shipped config, also for a config's ``_base_``.

    MMEngine's own ``'package::path'`` knows only OpenMMLab's packages, so
    a config that builds on one of these says::

        _base_ = __import__('ies_mm').config_path('faster_rcnn_voc.py')

    Args:
        name (str): Of the config, as ``'cifar/resnet18_cifar10.py'``.

    Returns:
        str: Its path.

    Raises:
        ConfigError: There is no such config.
    """
    path = CONFIGS / name
    if not path.exists():
        raise ConfigError(
            f'{PREFIX}{name}: there is no such config; `ies-mm configs` '
            'lists them'
        )
    return str(path)
