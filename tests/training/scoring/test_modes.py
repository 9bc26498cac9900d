"""Scoring leaves every module in its training mode."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpretrain.models import GlobalAveragePooling
from mmpretrain.registry import MODELS
from torch import nn

from ies_mm.engine import SelectiveBackpropHook
from ies_mm.training.scoring.scoring import forward_only
from method_cases import config_of
from runs import FixedSelection, train
from task_runs import in_iterations

OUT = {1: [1, 4], 2: [1, 4], 3: [3]}


@MODELS.register_module()
class NotedPooling(GlobalAveragePooling):
    """Records the mode in which it runs, with and without gradients.

    Stored on the class, since scoring undoes changes of the module.
    """

    # Shared by all instances.
    noted: ClassVar[dict[bool, set[bool]]] = {}

    def forward(self, inputs: Any) -> Any:
        grad = torch.is_grad_enabled()
        self.noted.setdefault(grad, set()).add(self.training)
        return super().forward(inputs)


class Freeze(Hook):
    """Keeps the neck in evaluation mode, like a frozen part of a model."""

    def before_train_iter(self, runner: Runner, *_: Any, **__: Any) -> None:
        runner.model.neck.eval()


@pytest.mark.parametrize('loop', ['epochs', 'iterations'])
@pytest.mark.parametrize(
    'hook',
    [
        lambda: SelectiveBackpropHook(),
        lambda: FixedSelection(OUT),
    ],
)
def test_a_module_that_a_hook_froze_is_scored_as_it_is_trained(
    folders: Path, tmp_path: Path, hook: Any, loop: str
) -> None:
    config = config_of(folders, tmp_path, 4)
    if loop == 'iterations':
        config = in_iterations(config, 20)
        config.train_dataloader.sampler.type = 'IESSampler'
    config.model.neck = dict(type='NotedPooling')
    NotedPooling.noted.clear()

    def prepare(runner: Runner) -> None:
        runner.register_hook(hook())
        runner.register_hook(Freeze(), priority='VERY_HIGH')

    runner = train(config, prepare)
    assert NotedPooling.noted == {True: {False}, False: {False}}
    assert runner.model.backbone.training


class Kept(nn.Sequential):
    """Keeps its first part in evaluation mode, like norm_eval."""

    def train(self, mode: bool = True) -> 'Kept':
        super().train(mode)
        self[0].eval()
        return self


@pytest.mark.parametrize('hold', [True, False])
@pytest.mark.parametrize('evaluated', [[], [1], [2, 3], [0, 1, 2, 3]])
def test_each_module_keeps_its_mode(hold: bool, evaluated: list[int]) -> None:
    parts = [nn.BatchNorm2d(2), nn.ReLU(), nn.Dropout(), nn.Conv2d(2, 2, 1)]
    model = Kept(*parts).train()
    for number in evaluated:
        parts[number].eval()
    before = [part.training for part in parts]
    runner: Any = SimpleNamespace(
        model=model,
        optim_wrapper=SimpleNamespace(optim_context=lambda _: torch.no_grad()),
    )
    with forward_only(runner, hold=hold):
        inside = [part.training for part in parts]
    held = [True, False, True, False]
    assert inside == [
        mode and not (hold and noisy)
        for mode, noisy in zip(before, held, strict=True)
    ]
    assert [part.training for part in parts] == before


def test_a_model_in_evaluation_is_scored_in_its_training_mode() -> None:
    """As validation leaves it, or a hook after it."""
    model = Kept(nn.BatchNorm2d(2), nn.ReLU(), nn.Dropout()).eval()
    runner: Any = SimpleNamespace(
        model=model,
        optim_wrapper=SimpleNamespace(optim_context=lambda _: torch.no_grad()),
    )
    with forward_only(runner):
        inside = [part.training for part in (model, *model)]
    assert inside == [True, False, True, False]
    assert not any(part.training for part in (model, *model))
