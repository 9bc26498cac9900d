"""A wrong command line is refused in one line; nothing is written."""

from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.device import get_device

from commands import TRAIN, call
from runs import ies_config


def test_the_command_gives_one_line_and_writes_nothing(
    voc: Path, tmp_path: Path
) -> None:
    config = ies_config(voc, tmp_path / 'run', delta=0.1)
    config.custom_imports = dict(imports=['ies_mm.engine'])
    root = tmp_path / 'VOCdevkit'
    config.train_dataloader.dataset.data_root = str(root)
    path = tmp_path / 'config.py'
    path.write_text(config.pretty_text)
    result = call(TRAIN, path)
    assert result.returncode == 2
    [line] = result.stderr.splitlines()
    assert f'{root}/VOC2007/ImageSets/Main/trainval.txt' in line
    assert f'ies-mm get-voc 2007 --root {tmp_path}` fetches' in line
    assert 'ies-mm demo' in line
    assert not (tmp_path / 'run').exists()


def test_the_command_without_a_config(tmp_path: Path) -> None:
    result = call(TRAIN, tmp_path / 'none.py')
    assert result.returncode == 2
    assert result.stderr.count('\n') == 1
    assert 'there is no config file' in result.stderr


def test_deleted_weights_do_not_hinder_a_resume(
    voc: Path, tmp_path: Path
) -> None:
    config = ies_config(voc, tmp_path / 'run', epochs=1, delta=0.1)
    path = tmp_path / 'config.py'
    path.write_text(config.pretty_text)
    gone = ('--cfg-options', 'load_from=gone.pth')
    # Without a checkpoint, it would start from them.
    for first in ((), ('--resume',)):
        result = call(TRAIN, path, *first, *gone)
        assert 'there is no file gone.pth' in result.stderr
    assert call(TRAIN, path).returncode == 0
    assert call(TRAIN, path, '--resume', *gone).returncode == 0


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['--amp'], '--amp needs an accelerator'),
        (['--resume', 'gone.pth'], 'there is no file gone.pth'),
        (['--cfg-options', 'log_level'], 'log_level: give KEY=VALUE'),
        (['--cfg-options', 'a=[1,2'], 'a=[1,2: give KEY=VALUE'),
        (['--cfg-options', 'default_hooks.ies.delta=-1'], 'delta=-1'),
        (['--cfg-options', 'load_from=gone.pth'], 'load_from: there is no'),
        (['--cfg-options', 'custom_hooks=[1]'], 'custom_hooks[0]=1: give a'),
        (['--cfg-options', 'train_dataloader=3'], 'train_dataloader is 3'),
        (['--seed', '3', '--cfg-options', 'randomness=3'], 'randomness is 3'),
        (
            ['--cfg-options', 'default_hooks.ies=None'],
            'default_hooks.ies=None: MMEngine removes only its own',
        ),
        (
            ['--cfg-options', 'default_hooks.ies.type=IESHok'],
            "type='IESHok' is not a known hook; did you mean 'IESHook'?",
        ),
        (['--work-dir', __file__], 'is a file; give a folder'),
        (['--launcher', 'slurm'], 'SLURM_PROCID is not set'),
        (['--launcher', 'mpi'], 'was not started by mpi'),
    ],
)
def test_arguments_of_the_command(
    voc: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    if '--amp' in arguments and get_device() != 'cpu':
        pytest.skip('there is an accelerator')
    path = tmp_path / 'config.py'
    path.write_text(ies_config(voc, tmp_path / 'run', delta=0).pretty_text)
    result = call(TRAIN, path, *arguments)
    assert result.returncode == 2
    assert message in result.stderr.splitlines()[-1]
    assert 'Traceback' not in result.stderr
    assert not (tmp_path / 'run').exists()


def test_the_dumped_config_imports_what_it_needs(
    voc: Path, tmp_path: Path
) -> None:
    """So that it trains by OpenMMLab's own train.py."""
    config = ies_config(voc, tmp_path / 'run', epochs=1, delta=0.1)
    path = tmp_path / 'config.py'
    path.write_text(config.pretty_text)
    assert call(TRAIN, path).returncode == 0
    [dumped] = (tmp_path / 'run').glob('*/vis_data/config.py')
    imports = Config.fromfile(dumped).custom_imports
    assert imports.imports == ['ies_mm.engine']


def test_a_broken_config_file(tmp_path: Path) -> None:
    path = tmp_path / 'config.py'
    path.write_text("_base_ = './gone.py'")
    result = call(TRAIN, path)
    assert result.returncode == 2
    [line] = result.stderr.splitlines()
    assert f'{path} cannot be read: FileNotFoundError' in line


def test_a_dict_on_the_command_line(voc: Path, tmp_path: Path) -> None:
    """MMEngine's parser recurses forever on ``dict(...)``."""
    path = tmp_path / 'config.py'
    path.write_text(ies_config(voc, tmp_path / 'run', delta=0).pretty_text)
    option = "default_hooks.ies.delta=dict(type='Budget', saved=0.2)"
    result = call(TRAIN, path, '--cfg-options', option)
    assert result.returncode == 2
    assert 'Traceback' not in result.stderr
    assert 'KEY._delete_=True KEY.type=TYPE' in result.stderr.splitlines()[-1]
