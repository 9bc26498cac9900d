"""The paper's optimisers (appendix B.3), in torch's terms."""

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import PARAM_SCHEDULERS
from torch.optim import SGD, Adam, AdamW, Optimizer
from torch.optim.lr_scheduler import (
    ConstantLR,
    ExponentialLR,
    LinearLR,
    LRScheduler,
    MultiStepLR,
)

from paper_settings import PAPER
from read_configs import read


def optimiser_of_the_paper(
    name: str, parameters: list
) -> tuple[Optimizer, LRScheduler]:
    """The optimiser as appendix B.3 describes it."""
    if name == 'Adam':
        return fixed(Adam(parameters, lr=0.001))
    if name == 'AdamW':
        return fixed(AdamW(parameters, lr=0.001, weight_decay=0.01))
    lr = 0.001 if name == 'SGD(F)' else 0.1
    sgd = SGD(parameters, lr=lr, momentum=0.9, weight_decay=5e-4)
    if name == 'SGD(L)':
        return sgd, LinearLR(
            sgd, start_factor=1, end_factor=0.01, total_iters=150
        )
    if name == 'SGD(M)':
        return sgd, MultiStepLR(sgd, milestones=[50, 100], gamma=0.1)
    if name == 'SGD(E)':
        return sgd, ExponentialLR(sgd, gamma=0.96)
    return fixed(sgd)


def fixed(optimiser: Optimizer) -> tuple[Optimizer, LRScheduler]:
    return optimiser, ConstantLR(optimiser, factor=1, total_iters=0)


@pytest.mark.parametrize('name', PAPER)
def test_the_optimiser_is_torch_s(name: str) -> None:
    row = PAPER[name]
    config = read(f'{name}.py')
    model = torch.nn.Linear(1, 1)
    ours = build_optim_wrapper(model, config.optim_wrapper).optimizer
    theirs, scheduler = optimiser_of_the_paper(
        row.optimiser, list(model.parameters())
    )
    assert type(ours) is type(theirs)
    assert ours.defaults == theirs.defaults
    expected = rates(theirs, [scheduler], row.data.epochs)
    found = rates(ours, schedulers(config, ours), row.data.epochs)
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def schedulers(config: Config, optimiser: Optimizer) -> list:
    arguments = dict(optimizer=optimiser)
    assert all(scheduler.by_epoch for scheduler in config.param_scheduler)
    return [
        PARAM_SCHEDULERS.build(scheduler, default_args=arguments)
        for scheduler in config.param_scheduler
    ]


def rates(optimiser: Optimizer, schedulers: list, epochs: int) -> list[float]:
    """The learning rate of every epoch."""
    found = []
    for _ in range(epochs):
        found.append(optimiser.param_groups[0]['lr'])
        optimiser.step()
        for scheduler in schedulers:
            scheduler.step()
    return found
