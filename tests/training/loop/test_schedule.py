"""Learning rates at the end of every epoch equal the unpruned run's."""

from pathlib import Path
from typing import Any

import pytest
from mmengine.hooks import Hook
from mmengine.runner import Runner

from runs import FixedSelection, train, with_hook
from task_runs import classifier_config, make_folders, with_sampler

EPOCHS = 5
IMAGES = 26
ITERATIONS = 7
"""Iterations of a full epoch in batches of 4; 13 images give 4."""

BY_EPOCH = dict(by_epoch=True, begin=0, end=EPOCHS)
CONVERTED = BY_EPOCH | dict(convert_to_iter_based=True)
BY_ITERATION = dict(by_epoch=False, begin=0, end=EPOCHS * ITERATIONS)
WARM_UP = dict(type='LinearLR', start_factor=0.01, by_epoch=False, end=10)
SCHEDULES = {
    'multi step': [
        dict(type='MultiStepLR', milestones=[2, 4], gamma=0.3, **BY_EPOCH)
    ],
    'multi step by iteration': [
        dict(type='MultiStepLR', milestones=[9, 23], gamma=0.3, **BY_ITERATION)
    ],
    'exponential': [dict(type='ExponentialLR', gamma=0.9, **CONVERTED)],
    'linear warm-up': [WARM_UP | dict(end=17)],
    'cosine converted': [
        dict(type='CosineAnnealingLR', eta_min=1e-3, **CONVERTED)
    ],
    'poly': [dict(type='PolyLR', eta_min=1e-4, power=0.9, **BY_ITERATION)],
    'one cycle': [
        dict(
            type='OneCycleLR',
            eta_max=0.3,
            total_steps=EPOCHS * ITERATIONS,
            by_epoch=False,
        )
    ],
    'a list': [
        WARM_UP,
        dict(
            type='CosineAnnealingLR',
            T_max=EPOCHS - 1,
            by_epoch=True,
            convert_to_iter_based=True,
            begin=1,
            end=EPOCHS,
        ),
        dict(type='MultiStepLR', milestones=[3], by_epoch=True),
        dict(type='LinearMomentum', start_factor=0.5, by_epoch=False, end=20),
    ],
}


class Rates(Hook):
    """Records learning rate and momentum after MMEngine's step."""

    priority = 'LOWEST'

    def __init__(self) -> None:
        self.after_epochs: list[tuple] = []
        self.ends: list[int] = []

    def after_train_epoch(self, runner: Runner) -> None:
        wrapper: Any = runner.optim_wrapper
        self.after_epochs.append((wrapper.get_lr(), wrapper.get_momentum()))
        self.ends.append(runner.max_iters)


@pytest.fixture(scope='module')
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_folders(tmp_path_factory.mktemp('folders'), IMAGES)


def rates(config: Any, *hooks: Hook) -> Rates:
    noted = Rates()

    def register(runner: Runner) -> None:
        for hook in (*hooks, noted):
            runner.register_hook(hook)

    runner = train(config, register)
    noted.iterations = runner.iter
    return noted


@pytest.mark.parametrize('name', SCHEDULES)
def test_half_of_the_images_are_out_from_epoch_2_on(
    folders: Path, tmp_path: Path, name: str
) -> None:
    config = classifier_config(folders, tmp_path / 'plain')
    config.train_cfg.max_epochs = EPOCHS
    config.param_scheduler = SCHEDULES[name]
    expected = rates(config)
    assert expected.iterations == EPOCHS * ITERATIONS
    assert len({str(rate) for rate in expected.after_epochs}) > 1

    config = with_sampler(config)
    config.work_dir = str(tmp_path / 'pruned')
    half = {epoch: list(range(13)) for epoch in range(1, EPOCHS)}
    found = rates(config, FixedSelection(half))
    assert found.iterations == ITERATIONS + (EPOCHS - 1) * 4
    assert found.after_epochs == expected.after_epochs  # to the last bit
    assert found.ends[0] == EPOCHS * ITERATIONS
    assert set(found.ends[1:]) == {found.iterations}


def test_the_eta_counts_the_iterations_that_are_left(
    folders: Path, tmp_path: Path
) -> None:
    class Ahead(Hook):
        priority = 'LOWEST'
        seconds: tuple[float, float]

        def after_train_iter(self, runner: Runner, *_: Any, **__: Any) -> None:
            if runner.iter == ITERATIONS + 1:
                hub = runner.message_hub
                timer = next(h for h in runner.hooks if 'Timer' in str(h))
                mean = timer.time_sec_tot / (runner.iter + 1)
                self.seconds = hub.get_info('eta'), mean

    config = with_sampler(classifier_config(folders, tmp_path))
    config.train_cfg.max_epochs = 3
    ahead = Ahead()
    hook = FixedSelection({1: list(range(13)), 2: list(range(13))})
    train(
        config,
        lambda r: [with_hook(h)(r) for h in (hook, ahead)] and None,
    )
    eta, mean = ahead.seconds
    # Two of the last two epochs' eight iterations are done.
    assert eta == pytest.approx(6 * mean)
