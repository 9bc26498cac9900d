"""PerImageLossHook observes everything and trains as the plain run."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.registry import DATA_SAMPLERS
from torch.utils.data import Sampler

from observed_runs import epochs, observed, workers
from runs import epochs_of, instances_of, parameters, plain_config, train
from same_runs import assert_equal, assert_same_run, resumed
from task_runs import in_iterations


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


def detector(data: Path, work_dir: Path) -> Config:
    """Batches by aspect ratio, flips, random anchors."""
    return plain_config(data, work_dir, epochs=1)


def endless_detector(data: Path, work_dir: Path) -> Config:
    """A batch sampler that reorders an endless stream."""
    return in_iterations(plain_config(data, work_dir), 4)


@DATA_SAMPLERS.register_module()
class Backwards(Sampler):
    """As torch's samplers, it does not keep its dataset."""

    def __init__(self, dataset: Any, seed: int | None = None) -> None:
        self._indices = range(len(dataset))[::-1]

    def __iter__(self) -> Iterator[int]:
        return iter(self._indices)

    def __len__(self) -> int:
        return len(self._indices)


def backwards(data: Path, work_dir: Path) -> Config:
    config = epochs(data, work_dir)
    config.train_dataloader.sampler = dict(type='Backwards')
    return config


CASES = {
    'backwards': backwards,
    'epochs': epochs,
    'iterations': iterations,
    'ending passes': ending_passes,
    'workers': workers,
    'detector': detector,
    'endless detector': endless_detector,
}


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
