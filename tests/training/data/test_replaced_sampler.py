"""Base configs whose sampler the IESSampler would replace."""

from pathlib import Path
from typing import Any

import pytest
from mmdet.datasets import samplers as of_mmdet
from mmengine.config import Config
from mmengine.registry import DATA_SAMPLERS
from mmpretrain.datasets import samplers as of_mmpretrain
from torch.utils.data import BatchSampler

from ies_mm.configuring.preflight import check_config
from ies_mm.errors import ConfigError
from ies_mm.training.data.replaced_sampler import SAME_ORDER, check_replaced
from ies_mm.training.data.sampler import REPEATS, IESSampler
from runs import FixedSelection, train, with_hook
from task_runs import classifier_config

OTHERS = [
    f'{package}.{name}'
    for package, module in (('mmdet', of_mmdet), ('mmpretrain', of_mmpretrain))
    for name in module.__all__
    if not issubclass(getattr(module, name), BatchSampler)
]
CHILD = """
_base_ = ['./schedule.py', './base.py']
default_hooks = dict(ies=dict(type='IESHook', delta=0.1))
train_dataloader = dict(sampler=dict(type='IESSampler'))
"""


def child(folder: Path, base: str, text: str = CHILD) -> Config:
    """A config that inherits from a base with this sampler."""
    (folder / 'base.py').write_text(f'train_dataloader = dict(sampler={base})')
    (folder / 'schedule.py').write_text('train_cfg = dict(max_epochs=12)')
    (folder / 'child.py').write_text(text)
    return Config.fromfile(folder / 'child.py')


@pytest.mark.parametrize('sampler', OTHERS)
def test_every_other_sampler_of_the_libraries_is_named(
    tmp_path: Path, sampler: str
) -> None:
    config = child(tmp_path, f"dict(type='{sampler}', shuffle=True)")
    name = sampler.partition('.')[2]
    advice = 'num_repeats=3' if name == REPEATS else '_delete_=True'
    message = rf'takes the place of the {name} of .*base\.py, .*{advice}'
    with pytest.raises(ConfigError, match=message):
        check_replaced(config)
    with pytest.raises(ConfigError, match=message):
        check_config(config)


def test_repeated_augmentation_is_kept_by_its_number(tmp_path: Path) -> None:
    base = "dict(type='mmpretrain.RepeatAugSampler', num_repeats=2)"
    text = CHILD.replace("'IESSampler'", "'IESSampler', num_repeats={}")
    check_replaced(child(tmp_path, base, text.format(2)))
    with pytest.raises(ConfigError, match="'IESSampler', num_repeats=2"):
        check_replaced(child(tmp_path, base, text.format(3)))


@pytest.mark.parametrize('sampler', [*SAME_ORDER, 'mmengine.DefaultSampler'])
def test_the_same_order_may_be_taken_over(
    tmp_path: Path, sampler: str
) -> None:
    check_replaced(child(tmp_path, f"dict(type='{sampler}', shuffle=False)"))


def test_an_endless_loop_has_the_order_of_the_infinite_sampler(
    tmp_path: Path,
) -> None:
    """A DefaultSampler ends each pass with a smaller batch."""

    def iterations(sampler: str) -> Config:
        config = child(tmp_path, f"dict(type='{sampler}', shuffle=True)")
        config.train_cfg = dict(type='IterBasedTrainLoop', max_iters=9)
        return config

    check_replaced(iterations('InfiniteSampler'))
    message = r'takes the place of the DefaultSampler of .*InfiniteSampler'
    with pytest.raises(ConfigError, match=message):
        check_replaced(iterations('DefaultSampler'))


def test_a_sampler_of_one_s_own_may_have_arguments(tmp_path: Path) -> None:
    """As a subclass; in the base, it is no other sampler's order."""

    @DATA_SAMPLERS.register_module(force=True)
    class OwnSampler(IESSampler):
        def __init__(self, dataset: Any, extra: int, **others: Any) -> None:
            super().__init__(dataset, **others)

    text = CHILD.replace("'IESSampler'", "'OwnSampler', extra=2")
    check_replaced(child(tmp_path, "dict(type='DefaultSampler')", text))
    check_replaced(child(tmp_path, "dict(type='OwnSampler', seed=1)", text))
    with pytest.raises(ConfigError, match='does not take odd'):
        check_replaced(child(tmp_path, 'dict(odd=1)', text))


def test_what_the_message_says_helps(tmp_path: Path) -> None:
    """An intermediate config for the plain run."""
    child(tmp_path, "dict(type='mmdet.ClassAwareSampler', num_sample_class=2)")
    default = "dict(_delete_=True, type='DefaultSampler', shuffle=True)"
    (tmp_path / 'plain.py').write_text(
        f"_base_ = './base.py'\ntrain_dataloader = dict(sampler={default})"
    )
    text = CHILD.replace('./base.py', './plain.py')
    (tmp_path / 'child.py').write_text(text)
    config = Config.fromfile(tmp_path / 'child.py')
    check_replaced(config)
    assert config.train_dataloader.sampler.keys() == {'type', 'shuffle'}


def test_a_child_of_a_child_and_a_type_of_the_command_line(
    tmp_path: Path,
) -> None:
    other = "dict(type='mmdet.ClassAwareSampler')"
    child(tmp_path, other)
    (tmp_path / 'further.py').write_text("_base_ = './child.py'")
    with pytest.raises(ConfigError, match='ClassAwareSampler of'):
        check_replaced(Config.fromfile(tmp_path / 'further.py'))
    config = Config.fromfile(tmp_path / 'base.py')
    config.merge_from_dict({'train_dataloader.sampler.type': 'IESSampler'})
    with pytest.raises(ConfigError, match='ClassAwareSampler of'):
        check_replaced(config)


def test_left_over_arguments_are_named_by_every_way_of_training(
    folders: Path, tmp_path: Path
) -> None:
    """Also by a custom script, whose config has no file."""
    config = classifier_config(folders, tmp_path)
    config.train_dataloader.sampler = dict(
        type='IESSampler', num_sample_class=2, shuffle=True
    )
    message = 'IESSampler does not take num_sample_class, which is left over'
    with pytest.raises(ConfigError, match=message):
        check_replaced(config)
    with pytest.raises(ConfigError, match=message):
        train(config, with_hook(FixedSelection({})))


def test_a_script_of_ones_own_is_told_before_the_first_step(
    folders: Path, tmp_path: Path
) -> None:
    base = child(tmp_path, "dict(type='mmpretrain.RepeatAugSampler')")
    config = classifier_config(folders, tmp_path / 'work')
    config.train_dataloader.sampler = dict(type='IESSampler')
    config = Config(dict(config), cfg_text=base.text)
    with pytest.raises(ConfigError, match='the RepeatAugSampler of'):
        train(config, with_hook(FixedSelection({})))
    assert not list((tmp_path / 'work').rglob('epochs.jsonl'))
