"""With a custom train.py, the registered modules report errors."""

from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config

from ies_mm.engine import IESHook, check_config
from ies_mm.errors import ConfigError
from runs import ies_config, train
from task_runs import in_iterations

WEIGHTS = dict(type='Pretrained', checkpoint='no_such_weights.pth')
"""Weights whose loading raises another error."""


def refusal(config: Config) -> str:
    config.model.backbone.init_cfg = WEIGHTS
    with pytest.raises(ConfigError) as error:
        train(config)
    assert '\n' not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize('loop', ['epochs', 'iterations'])
def test_our_sampler_without_a_hook(
    voc: Path, tmp_path: Path, loop: str
) -> None:
    """Before the first batch; MMEngine does not call the sampler earlier."""
    config = ies_config(voc, tmp_path)
    del config.default_hooks['ies']
    if loop == 'iterations':
        config.train_dataloader.batch_sampler = None
        config = in_iterations(config, 4)
        config.train_dataloader.sampler.type = 'IESSampler'
    with pytest.raises(ConfigError, match='needs a selection hook, found no'):
        train(config)


def mosaic(config: Any) -> None:
    config.train_dataloader.dataset.pipeline.insert(
        2, dict(type='CachedMosaic', img_scale=(96, 72))
    )
    config.default_hooks.ies = dict(type='InfoBatchHook')


def another_sampler(config: Any) -> None:
    config.train_dataloader.sampler.type = 'DefaultSampler'


def views(config: Any) -> None:
    """A semi-supervised training, which has a sampler of its own."""
    another_sampler(config)
    branches = dict(type='MultiBranch', branch_field=['sup'], sup=[])
    config.train_dataloader.dataset.pipeline.append(branches)


def too_late(config: Any) -> None:
    config.default_hooks.ies.priority = 'LOWEST'


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (mosaic, r'pipeline[2] (CachedMosaic) mixes several images'),
        (another_sampler, "needs train_dataloader.sampler.type='IESSampler'"),
        (views, 'pipeline[5] (MultiBranch) makes several views'),
        (too_late, 'comes after ParamSchedulerHook'),
    ],
)
def test_refusals_come_before_weights_are_fetched(
    voc: Path, tmp_path: Path, change: Any, message: str
) -> None:
    config = ies_config(voc, tmp_path, delta=0.1)
    change(config)
    assert message in refusal(config)


def no_data(config: Any) -> None:
    config.train_dataloader.dataset.ann_file = 'none.txt'


def no_such_argument(config: Any) -> None:
    config.default_hooks.ies.detla = 0.1


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (no_data, 'none.txt, which is not there'),
        (no_such_argument, "unexpected keyword argument 'detla'; it takes "),
        (mosaic, r'pipeline\[2\] \(CachedMosaic\) mixes several images'),
    ],
)
def test_one_line_of_it_refuses_before_anything_is_built(
    voc: Path, tmp_path: Path, change: Any, message: str
) -> None:
    config = ies_config(voc, tmp_path / 'run', delta=0.1)
    change(config)
    with pytest.raises(ConfigError, match=message):
        check_config(config)
    assert not (tmp_path / 'run').exists()


@pytest.mark.parametrize('name', ['delta', 'refresh_interval'])
@pytest.mark.parametrize(
    'text', ["dict(type='Budget')", ["{'type':'Budget", "saved':0.2}"]]
)
def test_a_dict_that_came_as_text(name: str, text: Any) -> None:
    arguments = {'delta': 0.1, name: text}
    with pytest.raises(TypeError) as error:
        IESHook(**arguments)
    assert 'give a number or a dict; with --cfg-options' in str(error.value)
    assert f'{name}._delete_=True {name}.type=' in str(error.value)
