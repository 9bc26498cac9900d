"""Images that the sampler did not request stop the training."""

from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ies_mm.errors import ConfigError
from ies_mm.training.data.identity import InstanceMap
from method_cases import config_of
from odd_data_sets import leaf
from runs import FixedSelection, epochs_of, train
from task_runs import in_iterations

OUT = {1: [2, 3, 7], 2: [2, 3, 7]}


class Steps(Hook):
    """Counts the training steps."""

    priority = 'LOWEST'
    made = 0

    def after_train_iter(self, *_: Any, **__: Any) -> None:
        self.made += 1


def refused(config: Config, message: str) -> int:
    """Expect an error with a message; return the steps made before it."""
    steps = Steps()

    def prepare(runner: Runner) -> None:
        runner.register_hook(FixedSelection(OUT, keep_history=True))
        runner.register_hook(steps)

    with pytest.raises(ConfigError, match=message):
        train(config, prepare)
    return steps.made


@pytest.mark.parametrize('workers', [0, 1])
@pytest.mark.parametrize(
    ('kind', 'message'),
    [
        ('Shifted', 'overrides __getitem__'),
        ('PastInfo', r'^PastInfo.prepare_data loads an image without get_'),
        ('Two', r'^Two.prepare_data asks get_data_info for 2 images'),
        ('Moving', 'in place of .*get_data_info or a transform'),
    ],
)
def test_a_data_set_is_refused_before_the_first_step(
    folders: Path, tmp_path: Path, kind: str, message: str, workers: int
) -> None:
    config = config_of(folders, tmp_path, 3)
    config.train_dataloader.dataset.type = kind
    config.train_dataloader.dataset.serialize_data = False
    config.train_dataloader.num_workers = workers
    assert refused(config, message) == 0


@pytest.mark.parametrize('workers', [0, 1])
def test_an_image_that_is_left_out_and_shown_stops_the_training(
    folders: Path, tmp_path: Path, workers: int
) -> None:
    """The first epoch trains on everything, so any image may be shown."""
    config = config_of(folders, tmp_path, 3)
    config.train_dataloader.dataset.type = 'Next'
    config.train_dataloader.num_workers = workers
    paths = instances_of_plain(folders)
    names = '|'.join(Path(paths[i]).name for i in OUT[1])
    steps = refused(config, f'gave .*({names}), which the sampler did not')
    assert 5 <= steps < 10


def instances_of_plain(folders: Path) -> list[str]:
    return InstanceMap(leaf(folders)).paths()


def test_an_endless_order_is_compared_image_by_image(
    folders: Path, tmp_path: Path
) -> None:
    config = in_iterations(config_of(folders, tmp_path, 3), 12)
    config.train_dataloader.sampler.type = 'IESSampler'
    config.train_dataloader.dataset.type = 'Next'
    assert refused(config, 'which the sampler did not request') == 0


def test_a_transform_that_exchanges_images_is_refused(
    folders: Path, tmp_path: Path
) -> None:
    config = config_of(folders, tmp_path, 3)
    config.train_dataloader.dataset.pipeline.insert(1, dict(type='Exchange'))
    refused(config, 'in place of .*get_data_info or a transform')


class Shrink(Hook):
    """Shrinks the dataset in the middle, like a curriculum."""

    def before_train_epoch(self, runner: Runner) -> None:
        if runner.epoch == 1:
            runner.train_dataloader.dataset.get_subset_(10)


def test_a_data_set_whose_length_changes_is_refused(
    folders: Path, tmp_path: Path
) -> None:
    def prepare(runner: Runner) -> None:
        runner.register_hook(FixedSelection(OUT))
        runner.register_hook(Shrink())

    message = 'dataset has 10 samples, and had 20 when the training began'
    with pytest.raises(ConfigError, match=message):
        train(config_of(folders, tmp_path, 3), prepare)
    assert len(epochs_of(tmp_path)) == 1


def twice(samples: list) -> Any:
    return pseudo_collate([*samples, *samples])


def all_but_one(samples: list) -> Any:
    return pseudo_collate(samples[1:])


@pytest.mark.parametrize(
    ('collate', 'message'),
    [
        (twice, 'a batch has 8 samples, and the sampler drew 4'),
        (all_but_one, 'which the sampler did not request'),
    ],
)
def test_an_endless_order_knows_how_many_samples_a_batch_has(
    folders: Path, tmp_path: Path, collate: Any, message: str
) -> None:
    config = in_iterations(config_of(folders, tmp_path, 3), 12)
    config.train_dataloader.sampler.type = 'IESSampler'

    def prepare(runner: Runner) -> None:
        runner.register_hook(FixedSelection(OUT))
        runner.train_loop.dataloader.collate_fn = collate

    with pytest.raises(ConfigError, match=message):
        train(config, prepare)
