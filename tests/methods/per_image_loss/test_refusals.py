"""What PerImageLossHook refuses."""

import copy
from pathlib import Path

import pytest
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ies_mm.configuring.preflight import check_config
from ies_mm.engine import IESHook, PerImageLossHook
from ies_mm.errors import ConfigError
from observed_runs import epochs, observed, workers
from runs import ies_config, plain_config, train, with_hook


def test_one_hook_alone_writes_records(voc: Path, tmp_path: Path) -> None:
    for first in ('IESHook', 'PerImageLossHook'):
        config = ies_config(voc, tmp_path, delta=0.1)
        if first != 'IESHook':
            config = plain_config(voc, tmp_path)
            config.default_hooks.ies = dict(type=first)
        config.custom_hooks = [dict(type='PerImageLossHook')]
        for refused in (check_config, train):
            with pytest.raises(ConfigError, match='both write the records'):
                refused(copy.deepcopy(config))


def test_what_it_needs_is_known_before_anything_is_built(
    voc: Path, tmp_path: Path
) -> None:
    """Our sampler is not needed; an image may still not have two views."""
    config = plain_config(voc, tmp_path)
    config.custom_hooks = [dict(type='PerImageLossHook')]
    check_config(config)
    views = dict(type='MultiBranch', branch_field=['a'], a=[])
    config.train_dataloader.dataset.pipeline.insert(2, views)
    for refused in (check_config, train):
        with pytest.raises(ConfigError, match='makes several views'):
            refused(copy.deepcopy(config))


class EarlyWorkers(Hook):
    """Like mmengine up to 0.10.7, whose loop starts its workers at once."""

    priority = 'VERY_HIGH'

    def before_run(self, runner: Runner) -> None:
        loop = runner.train_loop
        loop.dataloader_iterator._iterator = iter(loop.dataloader)


def test_workers_that_know_no_numbers_are_refused(
    folders: Path, tmp_path: Path
) -> None:
    def register(runner: Runner) -> None:
        runner.register_hook(PerImageLossHook())
        runner.register_hook(EarlyWorkers())

    with pytest.raises(ConfigError, match='starts the workers before any ho'):
        train(workers(folders, tmp_path), register)


@pytest.mark.parametrize(
    ('arguments', 'error'),
    [
        (dict(hardest=-1), ValueError),
        (dict(hardest=2.5), TypeError),
        (dict(keep_history='yes'), TypeError),
    ],
)
def test_arguments(arguments: dict, error: type[Exception]) -> None:
    with pytest.raises(error, match=next(iter(arguments))):
        PerImageLossHook(**arguments)


def test_a_checkpoint_of_a_method_is_refused(
    folders: Path, tmp_path: Path
) -> None:
    config = epochs(folders, tmp_path / 'ies')
    config.train_dataloader.sampler.type = 'IESSampler'
    train(config, with_hook(IESHook(delta=0)))
    config = epochs(folders, tmp_path / 'on')
    config.resume = True
    config.load_from = str(tmp_path / 'ies' / 'epoch_2.pth')
    with pytest.raises(ConfigError, match=r'another method \(IES, here Per'):
        observed(config)
