"""What the checks before a training need, and leave as it is."""

import copy
from pathlib import Path

import pytest

from ies_mm.configuring.preflight import check_config
from ies_mm.errors import ConfigError
from runs import ies_config, plain_config
from task_runs import classifier_config, make_folders


@pytest.mark.parametrize('key', ['model', 'train_dataloader'])
def test_a_part_that_is_missing(voc: Path, tmp_path: Path, key: str) -> None:
    config = plain_config(voc, tmp_path)
    config.default_hooks.losses = dict(type='PerImageLossHook')
    config[key] = None
    with pytest.raises(ConfigError, match=f'{key} is missing'):
        check_config(config)


def test_the_config_is_not_changed(voc: Path, tmp_path: Path) -> None:
    """Or the dumped config would differ from the plain run's.

    mmpretrain's models write into the preprocessor they are given.
    """
    config = classifier_config(make_folders(tmp_path / 'f', 4), tmp_path)
    config.data_preprocessor = dict(mean=[127.0] * 3, std=[64.0] * 3)
    del config.model['data_preprocessor']
    config.train_dataloader.sampler = dict(type='IESSampler')
    config.default_hooks = dict(ies=dict(type='IESHook', saved=0.2))
    for cfg in (config, ies_config(voc, tmp_path, delta=0.1)):
        before = copy.deepcopy(cfg.to_dict())
        check_config(cfg)
        assert cfg.to_dict() == before
