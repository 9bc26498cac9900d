"""The learning rates of a rescaled training, by MMEngine's schedulers."""

import warnings
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import PARAM_SCHEDULERS

from ies_mm.configuring.shorter import shorten

SHARES = [step / 20 for step in range(2, 20)]


def training(schedules: list[dict], **loop: Any) -> Config:
    return Config(dict(train_cfg=loop, param_scheduler=schedules))


def stepped(length: int, *milestones: int, unit: str = 'epochs') -> Config:
    step = dict(
        type='MultiStepLR',
        milestones=[*milestones],
        by_epoch=unit == 'epochs',
    )
    return training([step], **{f'max_{unit}': length})


def name_of(cfg: Config) -> str:
    [length], [step] = cfg.train_cfg.values(), cfg.param_scheduler
    return f'{step.milestones} of {length}'


def rates(cfg: Config, batches: int = 3) -> list[float]:
    """The rate in each iteration, relative to the optimiser's."""
    epochs = cfg.train_cfg.get('max_epochs')
    length = epochs * batches if epochs else cfg.train_cfg.max_iters
    weight = torch.nn.Parameter(torch.zeros(()))
    optimizer = torch.optim.SGD([weight], lr=1.0)
    built = []
    for schedule in cfg.to_dict()['param_scheduler']:
        # As the runner does.
        by_epoch = schedule.get('by_epoch', True)
        schedule.setdefault('end', epochs if by_epoch else length)
        given = dict(optimizer=optimizer, epoch_length=batches)
        built.append(PARAM_SCHEDULERS.build(schedule, default_args=given))
    found = []
    for iteration in range(1, length + 1):
        found.append(optimizer.param_groups[0]['lr'])
        ends = epochs and iteration % batches == 0
        for scheduler in built:
            if ends or not scheduler.by_epoch:
                scheduler.step()
    return found


@pytest.fixture(autouse=True)
def quiet() -> Any:
    """Torch warns since no optimiser steps."""
    with warnings.catch_warnings():
        warnings.filterwarnings('ignore', message='Detected call of')
        yield


EPOCHS = [
    stepped(12, 8, 11),
    stepped(20, 16, 19),
    stepped(24, 16, 22),
    stepped(4, 3),
    stepped(300, 150, 225),
    stepped(200, 120, 160, 180),
]


@pytest.mark.parametrize(
    ('cfg', 'share'),
    [
        pytest.param(cfg, share, id=f'{name_of(cfg)}, {share}')
        for cfg in EPOCHS
        for share in SHARES
        if share * cfg.train_cfg.max_epochs >= 1.5
    ],
)
def test_every_drop_of_the_rate_happens(cfg: Config, share: float) -> None:
    """Each after an epoch of its own, if there are as many."""
    short = shorten(cfg, share)
    length = short.train_cfg.max_epochs
    full, found = rates(cfg), rates(short)
    assert found[0] == 1
    assert found[-1] == pytest.approx(full[-1])
    if length > len(cfg.param_scheduler[0].milestones):
        assert len({*found}) == len({*full})


# mmdet's schedules of 90,000 and 368,750 iterations, a hundredth of them.
ITERATIONS = [
    stepped(900, 600, 800, unit='iters'),
    stepped(3687, 3277, 3550, unit='iters'),
]


@pytest.mark.parametrize('cfg', ITERATIONS, ids=name_of)
@pytest.mark.parametrize('share', [0.003, 0.004, 0.01, 0.11, 0.5, 0.95])
def test_every_drop_happens_in_iterations(cfg: Config, share: float) -> None:
    found, full = rates(shorten(cfg, share)), rates(cfg)
    assert found[-1] == pytest.approx(full[-1])
    assert found[0] == 1


@pytest.mark.parametrize('share', SHARES)
@pytest.mark.parametrize(
    ('epochs', 'step'),
    [
        # Stock schedules of mmpretrain.
        (20, dict(step_size=6)),
        (40, dict(step_size=20, gamma=0.1)),
        (300, dict(step_size=1, gamma=0.98)),
        (600, dict(step_size=2, gamma=0.973)),
        (24, dict(step_size=8)),
    ],
)
def test_regular_drops_end_at_the_same_rate(
    epochs: int, step: dict, share: float
) -> None:
    cfg = training([dict(type='StepLR', **step)], max_epochs=epochs)
    short = shorten(cfg, share)
    assert rates(short)[-1] == pytest.approx(rates(cfg)[-1])


def test_regular_drops_are_as_many_where_there_is_room() -> None:
    """Two in 24 epochs; every third of 10 epochs would be three."""
    cfg = training([dict(type='StepLR', step_size=8)], max_epochs=24)
    [step] = shorten(cfg, 0.42).param_scheduler
    assert step == dict(type='StepLR', step_size=4)


def test_regular_drops_in_iterations_of_unknown_epochs() -> None:
    step = dict(type='StepLR', by_epoch=False, step_size=300)
    short = shorten(training([step], max_epochs=10), 0.5)
    assert short.param_scheduler[0] == step | dict(step_size=150)


def test_the_end_of_a_schedule_counts_not_of_the_training() -> None:
    """And its milestones count from its beginning."""
    step = dict(type='MultiStepLR', milestones=[5], begin=4, end=10)
    cfg = training([step], max_epochs=20)
    for share in SHARES:
        assert rates(shorten(cfg, share))[-1] == rates(cfg)[-1] == 0.1


def test_a_drop_after_the_end_stays_there() -> None:
    cfg = stepped(12, 8, 12, 20)
    assert shorten(cfg, 0.25).param_scheduler[0].milestones == [2, 3, 5]


def test_without_room_for_a_drop_it_is_said() -> None:
    cfg = stepped(12, 8, 11)
    with pytest.warns(UserWarning, match='one epoch, in which MultiStepLR'):
        short = shorten(cfg, 0.08)
    assert short.param_scheduler == []
    assert {*rates(short)} == {1.0}


RAMPS = [
    dict(type='LinearLR', start_factor=0.01, begin=0, end=5),
    dict(type='ConstantLR', factor=0.1, begin=0, end=2),
    dict(type='LinearLR', start_factor=0.5, begin=3, end=6),
    dict(type='LinearLR', start_factor=1, end_factor=0.1, begin=80, end=100),
    dict(type='LinearLR', start_factor=1, end_factor=0.1, begin=97, end=100),
    dict(type='LinearLR', start_factor=1, end_factor=0.1),
]


@pytest.mark.parametrize('share', [0.02, 0.03, 0.05, *SHARES])
@pytest.mark.parametrize('ramp', RAMPS)
def test_a_warm_up_ends(ramp: dict, share: float) -> None:
    """By epoch and by iteration; with one step it would never end."""
    cfg = training([ramp], max_epochs=100)
    found = rates(shorten(cfg, share))
    assert found[-1] == pytest.approx(rates(cfg)[-1])
    by_iteration = training([ramp | dict(by_epoch=False)], max_iters=100)
    found = rates(shorten(by_iteration, share))
    assert found[-1] == pytest.approx(rates(by_iteration)[-1])


def test_a_warm_up_in_iterations_of_unknown_epochs() -> None:
    warm_up = dict(type='LinearLR', by_epoch=False, start_factor=0.1, end=8)
    short = shorten(training([warm_up], max_epochs=100), 0.03)
    assert rates(short) == pytest.approx([0.1] + [1] * 8)


@pytest.mark.parametrize('of', ['LR', 'Momentum'])
def test_one_epoch_has_no_warm_up(of: str) -> None:
    cosine = dict(type='CosineAnnealingLR', T_max=95, begin=5, end=100)
    warm_up = dict(type=f'Linear{of}', start_factor=0.1, end=5)
    for schedules in ([warm_up, cosine], dict(g=[warm_up], d=cosine)):
        cfg = Config(
            dict(train_cfg=dict(max_epochs=100), param_scheduler=schedules)
        )
        with pytest.warns(UserWarning, match=f'in which Linear{of} changes'):
            short = shorten(cfg, 0.01).param_scheduler
        left = [short] if isinstance(short, list) else [[*short.values()]]
        assert f'Linear{of}' not in str(left)
        assert 'CosineAnnealingLR' in str(left)


def test_a_schedule_that_already_has_one_step_keeps_it() -> None:
    constant = dict(type='ConstantLR', factor=0.1, end=1)
    cfg = training([constant], max_epochs=10)
    assert shorten(cfg, 0.5).param_scheduler == [constant]
