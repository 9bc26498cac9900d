"""Weights in complete trainings, with other common settings."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner

import autocast  # noqa: F401
from ies_mm.core import Selection, Standing
from ies_mm.methods.method import Decision
from ies_mm.methods.random_removal.rule import RandomRemoval
from ies_mm.training.hook.selection_hook import SelectionHook
from runs import parameters, plain_config, train, with_hook
from task_runs import classifier_config, segmentor_config, with_sampler


class Weights(RandomRemoval):
    """Trains on everything, with a test's weights."""

    def __init__(self, weight: list[float]) -> None:
        super().__init__(ratio=0.0)
        self.weight = torch.tensor(weight)

    def first_selection(self, standing: Standing) -> Selection:
        everything = Selection.everything(len(self.weight))
        return Selection(everything.active, self.weight)

    def decide(self, history: Any, names: Any, standing: Standing) -> Decision:
        selection = self.first_selection(standing)
        return Decision(~selection.active, selection)


def weighted(weight: list[float]) -> SelectionHook:
    return SelectionHook(Weights(weight))


def segmentor(maps: Path, voc: Path, work_dir: Path) -> Config:
    return segmentor_config(maps, work_dir)


def detector(maps: Path, voc: Path, work_dir: Path) -> Config:
    return plain_config(voc, work_dir)


OPTIMISERS = dict(
    plain={},
    accumulation=dict(accumulative_counts=2),
    amp=dict(type='Bfloat16Wrapper'),
)


def distance(ours: dict, theirs: dict) -> float:
    """Distance of two models' parameters."""
    parts = [ours[k].double() - theirs[k].double() for k in theirs]
    return float(torch.cat([part.flatten() for part in parts]).norm())


@pytest.mark.parametrize(
    ('task', 'optimiser'),
    [
        (detector, 'plain'),
        (detector, 'accumulation'),
        (segmentor, 'plain'),
        (segmentor, 'accumulation'),
        # mmcv's RoIAlign does not support autocast on a CPU.
        (segmentor, 'amp'),
    ],
)
def test_weight_two_is_twice_the_learning_rate(
    voc: Path, maps: Path, tmp_path: Path, task: Any, optimiser: str
) -> None:
    """Every image counts twice: SGD's step doubles, including momentum."""
    found = []
    for name, weight, rate in (('a', 2.0, 1e-3), ('b', 1.0, 2e-3)):
        config = with_sampler(task(maps, voc, tmp_path / name))
        config.optim_wrapper.update(OPTIMISERS[optimiser])
        config.optim_wrapper.optimizer.lr = rate
        images = 12 if task is detector else 10
        hook = weighted([weight] * images)
        found.append(parameters(train(config, with_hook(hook))))
    start = parameters(Runner.from_cfg(task(maps, voc, tmp_path / 'x')))
    moved = distance(found[1], start)
    assert moved > 0
    tolerance = 2e-2 if optimiser == 'amp' else 1e-3
    assert distance(*found) < tolerance * moved


def test_clipping_clips_the_weighted_gradient(
    maps: Path, tmp_path: Path
) -> None:
    """Clipped to a far smaller norm, a doubled gradient is the same."""
    found = []
    for name, weight in (('a', 2.0), ('b', 1.0)):
        config = with_sampler(segmentor_config(maps, tmp_path / name))
        config.optim_wrapper.clip_grad = dict(max_norm=1e-4)
        hook = weighted([weight] * 10)
        found.append(parameters(train(config, with_hook(hook))))
    start = parameters(Runner.from_cfg(segmentor_config(maps, tmp_path / 'x')))
    names = [k for k in start if 'running' not in k and 'num_b' not in k]
    ours, theirs, start = (
        {k: state[k] for k in names} for state in (*found, start)
    )
    assert distance(theirs, start) > 0
    assert distance(ours, theirs) < 1e-2 * distance(theirs, start)


def test_an_image_of_weight_zero_teaches_nothing(
    folders: Path, tmp_path: Path
) -> None:
    """Its label does not matter; that of an image with weight 1 does."""

    def trained(name: str, image: int, label: int) -> dict:
        config = with_sampler(classifier_config(folders, tmp_path / name))

        def relabel(runner: Runner) -> None:
            dataset = runner.train_dataloader.dataset
            info = dataset.get_data_info(image)
            dataset.data_list[image] = info | dict(gt_label=label)

        config.train_dataloader.dataset.serialize_data = False
        count = len(list(folders.rglob('*.png')))
        weight = np.ones(count)
        weight[3] = 0

        def prepare(runner: Runner) -> None:
            runner.register_hook(weighted(weight.tolist()))
            runner.train_loop  # noqa: B018, builds the data set
            relabel(runner)

        runner = train(config, prepare)
        return parameters(runner)

    first, second = trained('a', 3, 0), trained('b', 3, 2)
    other = trained('c', 4, 2)
    assert distance(first, second) < 1e-4 * distance(first, other)
