"""A dumped config is read as MMEngine would, without executing it."""

from pathlib import Path

import pytest
from mmengine.config import Config

from ies_mm.errors import ConfigError
from ies_mm.report.reading.dumped_config import flatten, read_config

SETTINGS = dict(
    work_dir='work_dirs/a',
    resume=False,
    load_from=None,
    model=dict(depth=18, ratios=[0.5, -1.0], names={'a b': 1, 'c': [{}]}),
    hooks=[dict(type='IESHook', delta=1e-3), dict(type='EMAHook')],
)


def test_what_mmengine_dumps_is_read(tmp_path: Path) -> None:
    path = tmp_path / 'config.py'
    Config(SETTINGS).dump(path)
    assert read_config(path) == SETTINGS


def test_nothing_is_executed(tmp_path: Path) -> None:
    path, made = tmp_path / 'config.py', tmp_path / 'made'
    path.write_text(
        f'open({str(made)!r}, "w")\n'
        f'a = open({str(made)!r}, "w")\n'
        'b = dict(low=inf, of=torch.nn.ReLU)\n'
    )
    assert read_config(path)['b'] == {'low': 'inf', 'of': 'torch.nn.ReLU'}
    assert not made.exists()


@pytest.mark.parametrize('content', [b'a = (1,', b'a = \xff', b'a = "\0"'])
def test_a_broken_config_is_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / 'config.py'
    path.write_bytes(content)
    with pytest.raises(ConfigError, match='not a config that MM') as error:
        read_config(path)
    assert '\n' not in str(error.value)


def test_a_missing_config(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r'config\.py is missing'):
        read_config(tmp_path / 'config.py')


def test_flatten_gives_dotted_keys() -> None:
    nested = {'a': {'b': [1, 2]}, 'c': [{'d': 1}, {'d': 2}], 'e': {}}
    assert flatten(nested) == {'a.b': [1, 2], 'c.0.d': 1, 'c.1.d': 2}
