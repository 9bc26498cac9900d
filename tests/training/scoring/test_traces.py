"""Plain attributes of the model are restored after scoring."""

import random
from collections import deque
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import nn

from ies_mm.training.scoring.scoring import forward_only
from runs import FixedSelection, parameters, plain_config, train
from same_runs import assert_equal
from task_runs import with_sampler

OUT = {1: [0, 3, 5, 8, 9], 2: [1, 2, 3, 4], 3: [7]}
OF_PIPELINE = (96, 96)
"""Images of 96x72 or 72x96, padded to a multiple of 32."""


class Sizes(Hook):
    """Records the sizes at which the model trains and scores."""

    def __init__(self) -> None:
        self.trained: list[tuple[int, int]] = []
        self.scored: list[tuple[int, int]] = []

    def before_train(self, runner: Runner) -> None:
        def note(model: Any, args: tuple, inputs: dict) -> None:
            grad = torch.is_grad_enabled()
            into = self.trained if grad else self.scored
            into.append(tuple(inputs['inputs'].shape[-2:]))

        runner.model.register_forward_pre_hook(note, with_kwargs=True)


def resizing(voc: Path, work_dir: Path, interval: int = 1) -> Config:
    """Batches are resized to a changing size; images are square."""
    config = with_sampler(plain_config(voc, work_dir, epochs=4))
    config.train_dataloader.batch_sampler = None
    pipeline = config.train_dataloader.dataset.pipeline
    pipeline[2] = dict(type='Resize', scale=(96, 96), keep_ratio=False)
    config.model.data_preprocessor.batch_augments = [
        dict(
            type='BatchSyncRandomResize',
            random_size_range=(64, 192),
            size_divisor=32,
            interval=interval,
        )
    ]
    return config


@pytest.mark.parametrize('interval', [1, 3])
def test_a_resize_by_batch_is_not_moved_and_not_scored_by(
    voc: Path, tmp_path: Path, interval: int
) -> None:
    """Training is the same as in a run that scores no pruned images."""

    def run(name: str, refresh: int) -> tuple[Sizes, Any]:
        sizes = Sizes()
        hook = FixedSelection(OUT, refresh_interval=refresh)

        def register(runner: Runner) -> None:
            runner.register_hook(hook)
            runner.register_hook(sizes)

        config = resizing(voc, tmp_path / name, interval)
        return sizes, parameters(train(config, register))

    (without, expected), (scored, found) = run('a', 99), run('b', 1)
    assert len(set(without.trained)) > 1
    assert scored.trained == without.trained
    assert_equal(found, expected)
    assert (without.scored, set(scored.scored)) == ([], {OF_PIPELINE})


class Teacher(nn.Module):
    """A module that is not registered as a submodule."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(3)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.norm(inputs)


class Counter:
    """Like a sampler or an assigner of a head."""

    def __init__(self) -> None:
        self.calls = 0


class Remembering(nn.Module):
    """Stores its inputs wherever Python allows."""

    def __init__(self) -> None:
        super().__init__()
        object.__setattr__(self, 'teacher', Teacher())
        self.last = (1, 2)
        self.queue = deque([1.0], maxlen=3)
        self.seen = {1}
        self.nested = {'a': [torch.zeros(2)], 'b': {'c': [1]}}
        self.array = np.zeros(2)
        self.numpy = np.random.default_rng(0)
        self.python = random.Random(0)
        self.torch = torch.Generator().manual_seed(0)
        self.samplers = [Counter(), Counter()]
        self.by_name = {'one': Counter()}

    def forward(self, inputs: torch.Tensor) -> None:
        self.teacher(inputs)
        self.last = (3, 4)
        self.queue.append(2.0)
        self.seen.add(2)
        self.nested['a'][0] += 1
        self.nested['b']['c'].append(2)
        self.array += 1
        self.numpy.random()
        self.python.random()
        torch.rand(1, generator=self.torch)
        for counter in (*self.samplers, *self.by_name.values()):
            counter.calls += 1

    def state(self) -> dict[str, Any]:
        return {
            'last': self.last,
            'queue': list(self.queue),
            'seen': sorted(self.seen),
            'nested': self.nested,
            'array': self.array,
            'numpy': self.numpy.bit_generator.state,
            'python': self.python.getstate(),
            'torch': self.torch.get_state(),
            'calls': [counter.calls for counter in self.samplers],
            'by_name': self.by_name['one'].calls,
            'teacher': dict(self.teacher.state_dict()),
        }


@pytest.mark.parametrize('key', Remembering().state())
def test_whatever_a_module_keeps_it_has_again(key: str) -> None:
    model = Remembering().train()
    before, fresh = model.queue, Remembering().state()
    runner: Any = SimpleNamespace(
        model=model,
        optim_wrapper=SimpleNamespace(optim_context=lambda _: torch.no_grad()),
    )
    images = torch.rand(4, 3, 2, 2)
    with forward_only(runner):
        model(images)
    assert_equal(model.state()[key], fresh[key])
    assert model.queue is before
    model(images)  # its state is live again
    assert model.queue is before
    assert list(before) == [1.0, 2.0]
