"""The shipped configs by name, and their plain/IES twins."""

from functools import cache
from pathlib import Path

from mmengine.config import Config

CONFIGS = Path(__file__).parents[1] / 'configs'
# Other methods: configuring/test_method_option.py; transfer: test_transfer.py.
NAMES = sorted(
    path.relative_to(CONFIGS).as_posix()
    for path in CONFIGS.rglob('*.py')
    if not {'_base_', 'methods', 'transfer'} & set(path.parts)
)
IES = [name for name in NAMES if Path(name).name.startswith('ies_')]
PLAIN = [name for name in NAMES if name not in IES]


@cache
def read(name: str) -> Config:
    """The config; it is cached, so copy it before changing it."""
    return Config.fromfile(CONFIGS / name)


def twin_of(name: str) -> str:
    return str(Path(name).with_name(f'ies_{Path(name).name}'))
