"""The shipped configs, by name, and which of them are twins."""

from functools import cache
from pathlib import Path

from mmengine.config import Config

CONFIGS = Path(__file__).parents[1] / 'configs'
# Those of another method: training/test_method_option.py.
NAMES = sorted(
    path.relative_to(CONFIGS).as_posix()
    for path in CONFIGS.rglob('*.py')
    if not {'_base_', 'methods'} & set(path.parts)
)
IES = [name for name in NAMES if Path(name).name.startswith('ies_')]
PLAIN = [name for name in NAMES if name not in IES]


@cache
def read(name: str) -> Config:
    """The config; read once, so to be copied before it is changed."""
    return Config.fromfile(CONFIGS / name)


def twin_of(name: str) -> str:
    return str(Path(name).with_name(f'ies_{Path(name).name}'))
