"""Every config builds, takes a step and has a fitting schedule."""

import copy
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner

from config_steps import build, step
from ies_mm.losses import capture_per_image_losses
from read_configs import NAMES, PLAIN, read

# Size of VOC2012, for the passes of an iteration-based training.
IMAGES = {
    'ImageSets/Segmentation/train.txt': 1464,
    'ImageSets/Segmentation/aug.txt': 9118,
}


# The IES configs have their plain twins' models: test_twins.py.
@pytest.mark.parametrize('name', NAMES)
def test_the_model_takes_a_step(name: str) -> None:
    """An IES config also captures a loss for each of the two images."""
    config = read(name)
    model = build(config)
    if name in PLAIN:
        assert torch.isfinite(step(model, config))
    else:
        with capture_per_image_losses(model) as captured:
            step(model, config)
        for losses in captured.losses.values():
            assert losses.shape == (2,)
            assert torch.isfinite(losses).all()
    assert any(
        parameter.grad is not None and parameter.grad.abs().sum() > 0
        for parameter in model.backbone.parameters()
    )


@pytest.mark.parametrize('name', NAMES)
def test_ies_has_the_epochs_to_fire(name: str) -> None:
    config = read(name)
    assert config.train_dataloader.dataset.type != 'RepeatDataset'
    assert passes(config) >= 12


def passes(config: Config) -> float:
    """The number of passes over the training images."""
    if config.train_cfg.type == 'EpochBasedTrainLoop':
        return config.train_cfg.max_epochs
    loader = config.train_dataloader
    leaves = loader.dataset.get('datasets', [loader.dataset])
    images = sum(IMAGES[leaf.ann_file] for leaf in leaves)
    return config.train_cfg.max_iters * loader.batch_size / images


@pytest.mark.parametrize('name', NAMES)
def test_the_schedules_end_with_the_training(name: str) -> None:
    config = read(name)
    end = last_step(config)
    by_epoch = config.train_cfg.type == 'EpochBasedTrainLoop'
    for scheduler in config.param_scheduler:
        # A warm-up, or SGD(L), whose last 50 epochs keep its final rate.
        if scheduler.type == 'LinearLR':
            assert scheduler.by_epoch != by_epoch or scheduler.end <= end
        else:
            assert scheduler.by_epoch == by_epoch
            assert scheduler.get('end', end) == end


def last_step(config: Config) -> int:
    """The last step in the loop's own unit, epochs or iterations."""
    if config.train_cfg.type == 'IterBasedTrainLoop':
        return config.train_cfg.max_iters
    return config.train_cfg.max_epochs


def test_the_runner_builds_the_demo(voc: Path, tmp_path: Path) -> None:
    config = copy.deepcopy(read('ies_faster_rcnn_r18_demo.py'))
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        config[loader].dataset.data_root = f'{voc}/'
    config.work_dir = str(tmp_path)
    runner = Runner.from_cfg(config)
    assert len(runner.build_dataloader(config.train_dataloader)) == 3
