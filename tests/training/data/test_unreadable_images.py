"""Images that cannot be read, always or every other time."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.hooks import Hook
from mmengine.registry import FUNCTIONS
from mmengine.runner import Runner
from torch.utils.data import DataLoader

import transforms  # noqa: F401
from ies_mm.engine import IESHook
from ies_mm.errors import ConfigError
from ies_mm.training.data.shown_images import batch_instances
from method_cases import METHODS
from runs import epochs_of, instances_of, train, with_hook
from same_runs import by_epochs, by_iterations

NEVER, HALF = 4, 9
READ = dict(type='ReadNowAndThen', never=[NEVER], every_second=[HALF])


class Shown(Hook):
    """Records the selected and the trained images, epoch by epoch."""

    def __init__(self, hook: Any) -> None:
        self.hook = hook
        self.selected: list[list[bool]] = []
        self.epochs: list[set[int]] = []

    def before_train_epoch(self, runner: Runner) -> None:
        self.selected.append(self.hook.session.state.selection.active.tolist())
        self.epochs.append(set())

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, **_: Any
    ) -> None:
        self.epochs[-1].update(batch_instances(data_batch).tolist())


def reading(config: Config, workers: int = 0) -> Config:
    loader = config.train_dataloader
    loader.num_workers = workers
    loader.persistent_workers = workers > 0
    loader.dataset.pipeline.insert(1, READ)
    return config


def run(config: Config, hook: Any) -> tuple[Shown, str]:
    shown = Shown(hook)

    def register(runner: Runner) -> None:
        runner.register_hook(hook)
        runner.register_hook(shown)

    train(config, register)
    work_dir = Path(config.work_dir)
    return shown, ''.join(p.read_text() for p in work_dir.glob('*/*.log'))


@pytest.mark.parametrize('workers', [0, 1])
def test_named_once_and_never_mastered(
    folders: Path, tmp_path: Path, workers: int
) -> None:
    """Its replacement counts as trained; the image itself does not."""
    config = reading(by_epochs(folders, tmp_path), workers)
    config.train_cfg.max_epochs = 8
    budget = dict(type='Budget', saved=0.3)
    hook = IESHook(budget, order=1, window=1, keep_history=True)
    shown, log = run(config, hook)
    arrays = instances_of(tmp_path)
    assert np.isnan(arrays['losses'][:, NEVER]).all()
    assert not arrays['trained'][:, NEVER].any()
    trained = [set(np.flatnonzero(row)) for row in arrays['trained']]
    assert trained == shown.epochs
    assert all(selected[NEVER] for selected in shown.selected)
    assert not all(map(all, shown.selected))
    for image in (NEVER, HALF):
        assert log.count(arrays['identity'][image]) == 1
    assert log.count('could not be loaded in 3 epochs or more') in (1, 2)


def test_everything_else_is_mastered(folders: Path, tmp_path: Path) -> None:
    """Training goes on for this one image."""
    config = reading(by_epochs(folders, tmp_path))
    config.train_cfg.max_epochs = 8
    run(config, IESHook(1e9, order=1, window=1, keep_history=True))
    records = epochs_of(tmp_path)
    assert len(records) == config.train_cfg.max_epochs
    assert max(record['mastered'] for record in records) == 19


@pytest.mark.parametrize(('hook', 'arguments'), METHODS)
@pytest.mark.parametrize('loop', [by_epochs, by_iterations])
def test_every_method_goes_on(
    folders: Path, tmp_path: Path, hook: Any, arguments: dict, loop: Any
) -> None:
    config = reading(loop(folders, tmp_path))
    _, log = run(config, hook(**arguments, keep_history=True))
    arrays = instances_of(tmp_path)
    assert np.isnan(arrays['losses'][:, NEVER]).all()
    assert log.count(arrays['identity'][NEVER]) == 1


def test_a_crop_that_fails_by_chance_is_not_named(
    folders: Path, tmp_path: Path
) -> None:
    config = by_epochs(folders, tmp_path)
    config.train_dataloader.dataset.pipeline.insert(
        1, dict(type='RefuseByChance', prob=0.1)
    )
    config.train_cfg.max_epochs = 8
    _, log = run(config, IESHook(0))
    assert 'could not be loaded' not in log


class NewLoader(Hook):
    """Replaces the data loader in the middle of the training."""

    def before_train_iter(
        self, runner: Runner, batch_idx: int, **_: Any
    ) -> None:
        if runner.iter == 3:
            old = runner.train_loop.dataloader
            runner.train_loop.dataloader = DataLoader(
                old.dataset, old.batch_size, collate_fn=old.collate_fn
            )


@pytest.mark.parametrize('loop', [by_epochs, by_iterations])
def test_a_replaced_loader(folders: Path, tmp_path: Path, loop: Any) -> None:
    def register(runner: Runner) -> None:
        runner.register_hook(IESHook(0.1))
        runner.register_hook(NewLoader(), priority='VERY_HIGH')

    with pytest.raises(ConfigError, match='data loader of the training was r'):
        train(loop(folders, tmp_path), register)


class OtherData(Hook):
    """Makes the loader's dataset show images of another one."""

    def before_train_epoch(self, runner: Runner) -> None:
        if runner.epoch == 1:
            dataset = runner.train_dataloader.dataset
            vars(dataset).pop('prepare_data')


def test_samples_of_a_data_set_that_was_not_there(
    folders: Path, tmp_path: Path
) -> None:
    def register(runner: Runner) -> None:
        runner.register_hook(IESHook(0.1))
        runner.register_hook(OtherData())

    with pytest.raises(ConfigError, match='were not there when the training'):
        train(by_epochs(folders, tmp_path), register)


@FUNCTIONS.register_module()
def tensors_collate(batch: list) -> dict:
    """Like mmyolo's yolov5_collate: labels in one tensor."""
    made = pseudo_collate(batch)
    labels = [sample.gt_label for sample in made['data_samples']]
    made['data_samples'] = dict(labels=labels)
    return made


@FUNCTIONS.register_module()
def anew_collate(batch: list) -> dict:
    """Creates new samples without the tags they carried."""
    made = pseudo_collate(batch)
    kinds = [type(sample) for sample in made['data_samples']]
    made['data_samples'] = [kind() for kind in kinds]
    return made


@pytest.mark.parametrize(
    ('name', 'message'),
    [
        ('tensors_collate', 'data_samples are a dict of labels'),
        ('anew_collate', 'made anew after the dataset had made them'),
    ],
)
def test_a_collate_function_is_named(
    folders: Path, tmp_path: Path, name: str, message: str
) -> None:
    config = by_epochs(folders, tmp_path)
    config.train_dataloader.collate_fn = dict(type=name)
    with pytest.raises(ConfigError) as error:
        train(config, with_hook(IESHook(0.1)))
    assert f'train_dataloader.collate_fn={name}: ' in str(error.value)
    assert message in str(error.value)
    assert '\n' not in str(error.value)
