"""PerImageLossHook observes everything and trains as the plain run."""

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ies_mm.engine import IESHook, PerImageLossHook
from ies_mm.errors import ConfigError
from ies_mm.report.reading.runs import read_run
from ies_mm.training.preflight import check_config
from runs import (
    epochs_of,
    ies_config,
    instances_of,
    parameters,
    plain_config,
    train,
    with_hook,
)
from same_runs import assert_equal, assert_same_run, by_epochs, resumed
from task_runs import classifier_config, in_iterations


def epochs(data: Path, work_dir: Path) -> Config:
    """Three epochs with MMEngine's own sampler, without augmentation."""
    config = by_epochs(data, work_dir)
    config.train_cfg.max_epochs = 3
    config.train_dataloader.sampler.type = 'DefaultSampler'
    return config


def iterations(data: Path, work_dir: Path) -> Config:
    """Three passes and two samples; batches of six do not divide 20 images."""
    config = in_iterations(epochs(data, work_dir), 11)
    config.train_dataloader.batch_size = 6
    config.default_hooks.checkpoint.interval = 4
    return config


def ending_passes(data: Path, work_dir: Path) -> Config:
    """A finite sampler in an iteration loop: batches of 6, 6, 6 and 2."""
    config = iterations(data, work_dir)
    config.train_dataloader.sampler.type = 'DefaultSampler'
    return config


def workers(data: Path, work_dir: Path) -> Config:
    """With flips, in persistent workers."""
    config = in_iterations(classifier_config(data, work_dir), 11)
    config.train_dataloader.num_workers = 1
    config.train_dataloader.persistent_workers = True
    return config


def detector(data: Path, work_dir: Path) -> Config:
    """Batches by aspect ratio, flips, random anchors."""
    return plain_config(data, work_dir, epochs=1)


def endless_detector(data: Path, work_dir: Path) -> Config:
    """A batch sampler that reorders an endless stream."""
    return in_iterations(plain_config(data, work_dir), 4)


CASES = {
    'epochs': epochs,
    'iterations': iterations,
    'ending passes': ending_passes,
    'workers': workers,
    'detector': detector,
    'endless detector': endless_detector,
}


def observed(config: Config, **arguments: Any) -> Runner:
    return train(config, with_hook(PerImageLossHook(**arguments)))


def log_of(work_dir: Path) -> list[str]:
    [path] = work_dir.glob('*/*.log')
    return path.read_text().splitlines()


@pytest.mark.parametrize('case', CASES)
def test_the_training_is_the_plain_one(
    voc: Path, folders: Path, tmp_path: Path, case: str
) -> None:
    make, data = CASES[case], voc if 'detector' in case else folders
    plain = train(make(data, tmp_path / 'plain'))
    runner = observed(make(data, tmp_path / 'observed'))
    assert_equal(parameters(runner), parameters(plain))
    assert runner.optim_wrapper.get_lr() == plain.optim_wrapper.get_lr()
    assert runner.max_iters == plain.max_iters
    records = epochs_of(tmp_path / 'observed')
    seen = instances_of(tmp_path / 'observed')['trained']
    assert len(records) == len(seen) >= 1
    # Only reordering an endless stream may move an image to another pass.
    assert seen.all() or case == 'endless detector'
    for record, of_epoch in zip(records, seen, strict=True):
        assert record['trained'] == of_epoch.sum() > 0
        assert record['excluded'] == record['forward_only'] == 0
        assert record['saved'] == 0


@pytest.mark.parametrize('make', [epochs, iterations])
def test_losses_are_those_of_each_image_alone(
    folders: Path, tmp_path: Path, make: Any
) -> None:
    """Weights and statistics are fixed, so every epoch sees the same."""
    config = make(folders, tmp_path)
    config.optim_wrapper.optimizer.lr = 0.0
    config.param_scheduler = None
    config.model.backbone.norm_eval = True
    runner = observed(config)
    model = runner.model.eval()
    for sample in runner.train_dataloader.dataset:
        one = {k: [value] for k, value in sample.items()}
        data = model.data_preprocessor(one)
        logits = model(data['inputs'], mode='tensor')
        loss = F.cross_entropy(logits, data['data_samples'][0].gt_label)
        found = loss_of(tmp_path, sample['data_samples'].img_path)
        assert_close(found, loss)


def loss_of(work_dir: Path, path: str) -> np.ndarray:
    run = instances_of(work_dir)
    [row] = np.flatnonzero(run['identity'] == path)
    return run['losses'][:, row].sum(axis=1)


def assert_close(found: np.ndarray, loss: torch.Tensor) -> None:
    assert np.allclose(found, loss.item(), rtol=1e-5)


@pytest.mark.parametrize(
    ('make', 'checkpoint', 'last'),
    [
        (epochs, 'epoch_2.pth', 'epoch_3.pth'),
        (iterations, 'iter_4.pth', 'iter_11.pth'),
    ],
)
def test_a_resumed_run_has_the_records_of_the_whole_one(
    folders: Path, tmp_path: Path, make: Any, checkpoint: str, last: str
) -> None:
    """Also within a pass: after the fourth, 24 samples of 20 images."""
    whole, again = tmp_path / 'whole', tmp_path / 'again'
    observed(make(folders, whole))
    observed(resumed(make(folders, again), whole, checkpoint))
    assert_same_run(again, whole, last)


def test_a_plain_run_may_be_gone_on_with(
    folders: Path, tmp_path: Path
) -> None:
    train(epochs(folders, tmp_path / 'plain'))
    config = epochs(folders, tmp_path / 'on')
    config.resume = True
    config.load_from = str(tmp_path / 'plain' / 'epoch_2.pth')
    observed(config)
    assert [r['epoch'] for r in epochs_of(tmp_path / 'on')] == [3]


def test_our_sampler_changes_nothing(folders: Path, tmp_path: Path) -> None:
    for make in (epochs, iterations):
        ours, theirs = (tmp_path / make.__name__ / n for n in ('o', 't'))
        config = make(folders, ours)
        config.train_dataloader.sampler.type = 'IESSampler'
        found = observed(config)
        expected = observed(make(folders, theirs))
        assert_equal(parameters(found), parameters(expected))
        assert_equal(instances_of(ours), instances_of(theirs))


def test_the_last_epoch_alone(folders: Path, tmp_path: Path) -> None:
    observed(epochs(folders, tmp_path), keep_history=False)
    assert instances_of(tmp_path)['epochs'].tolist() == [3]


def test_the_log_names_the_hardest_images(voc: Path, tmp_path: Path) -> None:
    config = plain_config(voc, tmp_path)
    config.log_level = 'INFO'
    observed(config, hardest=3)
    run = instances_of(tmp_path)
    lines = [line for line in log_of(tmp_path) if 'observed; mean' in line]
    assert len(lines) == len(run['losses']) == 2
    for line, losses in zip(lines, run['losses'], strict=True):
        total = losses.astype(np.float64).sum(axis=1)
        worst = sorted(range(len(total)), key=lambda i: -total[i])[:3]
        named = [f'{run["identity"][i]} {total[i]:.4g}' for i in worst]
        assert line.endswith(f'hardest: {", ".join(named)}')
        assert f'max {max(total):.4g};' in line


def test_nothing_is_named_where_that_is_asked(
    folders: Path, tmp_path: Path
) -> None:
    config = epochs(folders, tmp_path)
    config.log_level = 'INFO'
    observed(config, hardest=0)
    text = '\n'.join(log_of(tmp_path))
    assert '20 of 20 images observed; mean ' in text
    assert 'hardest' not in text


def test_scalars_are_of_every_epoch_and_are_no_metrics(
    folders: Path, tmp_path: Path
) -> None:
    observed(epochs(folders, tmp_path))
    [path] = tmp_path.glob('*/vis_data/scalars.json')
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    lines = [line for line in lines if 'ies/loss_mean' in line]
    losses = instances_of(tmp_path)['losses'][..., 0].astype(np.float64)
    assert [line['step'] for line in lines] == [1, 2, 3]
    for name, expected in (
        ('mean', losses.mean(axis=1)),
        ('median', np.median(losses, axis=1)),
        ('p90', np.percentile(losses, 90, axis=1)),
        ('max', losses.max(axis=1)),
    ):
        found = [line[f'ies/loss_{name}'] for line in lines]
        np.testing.assert_allclose(found, expected)


def test_a_comparison_takes_the_run_as_a_plain_one(
    folders: Path, tmp_path: Path
) -> None:
    for sampler in ('DefaultSampler', 'IESSampler'):
        config = epochs(folders, tmp_path / sampler)
        config.log_level = 'INFO'
        config.train_dataloader.sampler.type = sampler
        config.custom_hooks = [dict(type='PerImageLossHook')]
        train(config)
        run = read_run(tmp_path / sampler)
        assert (run.method, run.selected) == ('plain', False)
        assert (run.points, run.notes) == ({}, [])
        assert run.progress.finished


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
    """Our sampler is not needed; pipelines may still not mix images."""
    config = plain_config(voc, tmp_path)
    config.custom_hooks = [dict(type='PerImageLossHook')]
    check_config(config)
    config.train_dataloader.dataset.pipeline.insert(
        2, dict(type='CachedMosaic', img_scale=(96, 72))
    )
    for refused in (check_config, train):
        with pytest.raises(ConfigError, match=r'CachedMosaic\) mixes'):
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
