"""Selective-Backprop trains what it chose and reports the cost."""

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ies_mm.engine import SelectiveBackpropHook
from ies_mm.errors import ConfigError
from ies_mm.methods.selective_backprop import hook as selective_backprop
from runs import (
    epochs_of,
    instances_of,
    parameters,
    plain_config,
    train,
    with_hook,
)
from task_runs import (
    classifier_config,
    in_iterations,
    make_folders,
    segmentor_config,
    with_sampler,
)

IMAGES = 13


@pytest.fixture(scope='module')
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_folders(tmp_path_factory.mktemp('folders'), IMAGES)


class Steps(Hook):
    """Records the images of every actual training step."""

    priority = 'VERY_LOW'

    def before_train(self, runner: Runner) -> None:
        self.trained: list[list[str]] = []
        original = runner.model.train_step

        def train_step(data: dict, optim_wrapper: Any) -> Any:
            names = [Path(s.img_path).stem for s in data['data_samples']]
            self.trained.append(names)
            return original(data, optim_wrapper)

        runner.model.train_step = train_step


def run(config: Config, **arguments: Any) -> tuple[Runner, Steps]:
    steps = Steps()

    def prepare(runner: Runner) -> None:
        hook = SelectiveBackpropHook(keep_history=True, **arguments)
        runner.register_hook(hook)
        runner.register_hook(steps)

    return train(config, prepare), steps


def test_the_record_says_what_was_trained_and_scored(
    folders: Path, tmp_path: Path
) -> None:
    config = with_sampler(classifier_config(folders, tmp_path))
    config.train_cfg.max_epochs = 4
    _, steps = run(config, beta=1.0)
    records, arrays = epochs_of(tmp_path), instances_of(tmp_path)
    assert all(record['forward_only'] == IMAGES for record in records)
    assert all(record['refresh_seconds'] > 0 for record in records)
    assert sum(record['excluded'] for record in records) > 0
    assert np.isfinite(arrays['losses']).all()
    names = [Path(path).stem for path in arrays['identity']]
    # Full batches except at the end of an epoch; a single image is dropped.
    done = iter(steps.trained)
    for record, trained in zip(records, arrays['trained'], strict=True):
        assert record['trained'] == trained.sum()
        assert record['excluded'] == IMAGES - record['trained']
        left = record['trained']
        expected = {n for n, t in zip(names, trained, strict=True) if t}
        found: list[str] = []
        while left:
            batch = next(done)
            assert len(batch) == min(4, left)
            found += batch
            left -= len(batch)
        assert set(found) == expected
        assert len(found) == len(expected)
    assert next(done, None) is None


def test_the_losses_are_scored_before_the_step(
    folders: Path, tmp_path: Path
) -> None:
    """In evaluation mode, with the current weights."""
    config = with_sampler(classifier_config(folders, tmp_path))
    config.train_dataloader.dataset.pipeline.pop(1)
    config.train_cfg.max_epochs = 1
    config.optim_wrapper.optimizer.lr = 0.0
    model = Runner.from_cfg(config).model.eval()
    runner, _ = run(config)
    model.load_state_dict(runner.model.state_dict())
    # The weights do not change, but BatchNorm's statistics do: reset them.
    for part in model.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            part.reset_running_stats()
    losses = instances_of(tmp_path)['losses'][0, :, 0]
    dataset = runner.train_dataloader.dataset
    first = torch.randperm(IMAGES, generator=torch.Generator().manual_seed(7))[
        :4
    ]
    items = [dataset[int(i)] for i in first]
    batch = runner.train_dataloader.collate_fn(items)
    data = model.data_preprocessor(batch, True)
    labels = torch.cat([s.gt_label for s in data['data_samples']])
    with torch.no_grad():
        scores = model.head(model.extract_feat(data['inputs']))
    expected = torch.nn.functional.cross_entropy(
        scores, labels, reduction='none'
    )
    np.testing.assert_allclose(losses[first], expected, rtol=1e-5)


@pytest.mark.parametrize('task', ['detector', 'segmentor'])
def test_samples_survive_being_scored_and_put_together_anew(
    voc: Path, maps: Path, tmp_path: Path, task: str
) -> None:
    """If all are chosen, it is bit-identical to plain, with padded maps."""
    found = []
    for name in ('plain', 'ours'):
        config = segmentor_config(maps, tmp_path / name)
        config.train_dataloader.batch_size = 5
        config.model.data_preprocessor.size = (64, 80)
        if task == 'detector':
            config = plain_config(voc, tmp_path / name)
        if name == 'plain':
            found.append(parameters(train(config)))
        else:
            found.append(parameters(run(with_sampler(config), beta=0)[0]))
    assert all(torch.equal(found[0][k], found[1][k]) for k in found[0])


def iterations(folders: Path, work_dir: Path) -> Config:
    config = in_iterations(classifier_config(folders, work_dir), 13)
    config.train_dataloader.dataset.pipeline.pop(1)
    config.default_hooks.checkpoint.interval = 6
    return with_sampler(config)


def test_in_iterations_every_pass_is_accounted_for(
    folders: Path, tmp_path: Path
) -> None:
    """Four passes of 13 images in 13 batches of 4."""
    runner, steps = run(iterations(folders, tmp_path), beta=1.0)
    assert runner.iter == 13
    records = epochs_of(tmp_path)
    assert [record['epoch'] for record in records] == [1, 2, 3, 4]
    assert all(r['trained'] + r['excluded'] == IMAGES for r in records)
    assert all(r['forward_only'] == IMAGES for r in records)
    assert all(len(batch) == 4 for batch in steps.trained)
    # All chosen images were trained, except those waiting at the end.
    trained = sum(len(batch) for batch in steps.trained)
    assert 0 <= sum(r['trained'] for r in records) - trained < 4


def test_a_run_resumed_within_a_pass_keeps_its_records(
    folders: Path, tmp_path: Path
) -> None:
    run(iterations(folders, tmp_path / 'whole'), beta=1.0)
    config = iterations(folders, tmp_path / 'again')
    config.resume = True
    config.load_from = str(tmp_path / 'whole' / 'iter_6.pth')
    run(config, beta=1.0)
    whole, again = (epochs_of(tmp_path / n) for n in ('whole', 'again'))
    assert [record['epoch'] for record in again] == [2, 3, 4]
    assert all(r['forward_only'] == IMAGES for r in again)
    # Half of the second pass was done; its choice is not lost.
    assert abs(again[0]['trained'] - whole[1]['trained']) <= 3
    assert again[0]['trained'] + again[0]['excluded'] == IMAGES


def test_several_processes_are_refused(
    folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = with_sampler(classifier_config(folders, tmp_path))
    monkeypatch.setattr(selective_backprop, 'get_world_size', lambda: 2)
    with pytest.raises(ConfigError, match='single process, found 2'):
        train(copy.deepcopy(config), with_hook(SelectiveBackpropHook()))
