"""The state of modules and their attributes is restored after use."""

import io
import random
import threading
import types
import weakref
from collections import deque, namedtuple
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ies_mm.losses.generic.state import snapshot, state_of


class Counter:
    """Like mmdet's samplers: not a module, but it counts its calls."""

    def __init__(self) -> None:
        self.calls = 0
        self.sampler = self

    def __call__(self) -> None:
        self.calls += 1


class Outer:
    def __init__(self) -> None:
        self.inner = Counter()


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer('mean', torch.zeros(2))
        self.register_buffer('none', None)
        self.seen: list[int] = []
        self.running = torch.zeros(2)
        self.sampler = Outer()
        self.sampler.model = self  # type: ignore[attr-defined]

    def forward(self) -> None:
        self.mean += 1
        self.seen.append(1)
        self.running += 1
        self.sampler.inner()
        self.made = 1


def known(model: Any) -> tuple[list[float], int, list[float], int, bool]:
    return (
        model.mean.tolist(),
        len(model.seen),
        model.running.tolist(),
        model.sampler.inner.calls,
        hasattr(model, 'made'),
    )


def test_everything_is_given_back() -> None:
    model = Model()
    model()
    del model.made
    before, buffer = known(model), model.mean
    with state_of(snapshot(model)):
        model()
        assert known(model) == ([2, 2], 2, [2, 2], 2, True)
    assert known(model) == before == ([1, 1], 1, [1, 1], 1, False)
    assert model.mean is buffer


def test_a_state_can_be_started_from_several_times() -> None:
    model = Model()
    state = snapshot(model)
    model()
    after = known(model)
    for _ in range(2):
        with state_of(state):
            model()
            assert known(model)[:4] == after[:4]
    assert known(model) == after


def test_tensors_that_a_backward_pass_waits_for_are_not_touched() -> None:
    model = Model()
    weight = torch.ones(2, requires_grad=True)
    result: Tensor = (model.mean * weight).sum()
    with state_of(snapshot(model)):
        model()
    result.backward()


class Slotted:
    """State in slots, as in a dataclass with slots."""

    __slots__ = ('calls', 'made')

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> None:
        self.calls += 1
        self.made = True


class Own(nn.Module):
    """Everything that a custom module may keep."""

    def __init__(self) -> None:
        super().__init__()
        self.prototypes = nn.Parameter(torch.zeros(2), requires_grad=False)
        self.levels = [torch.zeros(2), torch.zeros(2)]
        self.tuple = (torch.zeros(2),)
        self.counts = {'class': {'seen': 0}}
        self.array = np.zeros(2)
        self.queue: deque[int] = deque([0], maxlen=2)
        self.set: set[int] = set()
        self.samplers = [Counter(), Slotted()]
        self.slotted = Slotted()
        self.hidden = [nn.BatchNorm1d(2)]
        self.numpys = np.random.default_rng(0)
        self.torchs = torch.Generator().manual_seed(0)
        self.pythons = random.Random(0)
        self.same = self.levels
        self.cycle: list[Any] = [0]
        self.cycle.append(self.cycle)

    def forward(self) -> None:
        self.prototypes.data += 1
        self.same[0] += 1
        self.tuple[0].add_(1)
        self.counts['class']['seen'] += 1
        self.array += 1
        self.queue.append(1)
        self.set.add(1)
        for sampler in (*self.samplers, self.slotted):
            sampler()
        self.hidden[0](torch.ones(3, 2))
        self.drawn = (
            self.numpys.random(),
            torch.rand(1, generator=self.torchs).item(),
            self.pythons.random(),
        )
        self.cycle[1][0] += 1

    def known(self) -> list[Any]:
        return [
            self.prototypes.tolist(),
            self.levels[0].tolist(),
            self.tuple[0].tolist(),
            self.counts['class']['seen'],
            self.array.tolist(),
            list(self.queue),
            list(self.set),
            [sampler.calls for sampler in self.samplers],
            self.slotted.calls,
            self.hidden[0].num_batches_tracked.item(),
            self.cycle[0],
        ]


def test_whatever_is_kept_is_given_back() -> None:
    model, other = Own(), Own()
    before = model.known()
    for _ in range(2):
        with state_of(snapshot(model)):
            model()
            inside, drawn = model.known(), model.drawn
        assert model.known() == before
    other()
    assert inside == other.known()
    assert drawn == other.drawn
    model()
    assert model.drawn == drawn


class Silent:
    def __getattr__(self, name: str) -> Any:
        raise RuntimeError('it is loaded when it is needed')


class NoDict:
    @property
    def __dict__(self) -> dict:  # type: ignore[override]
        raise RuntimeError


class Slotless: ...


def gone() -> Any:
    return weakref.proxy(Slotless())


STRANGE: dict[str, Callable[[], Any]] = {
    'gone': gone,
    'silent': Silent,
    'without a dict': NoDict,
    'lock': threading.Lock,
    'thread': threading.Thread,
    'namespace': types.SimpleNamespace,
    'file': lambda: io.TextIOWrapper(io.BytesIO()),
    'generator': lambda: (number for number in range(3)),
    'partial': lambda: partial(print),
    'named tuple': lambda: namedtuple('Pair', 'a b')(1, torch.zeros(1)),
}


@pytest.mark.parametrize('kind', STRANGE)
def test_what_cannot_be_copied_is_left_alone(kind: str) -> None:
    model = Model()
    vars(model)['thing'] = STRANGE[kind]()
    before = known(model)
    with state_of(snapshot(model)):
        model()
    assert known(model) == before


def test_data_is_not_looked_through() -> None:
    """A list of a hundred thousand annotations, as in a dataset."""
    model = Model()
    model.annotations = [[0] for _ in range(100_000)]
    entries = list(map(id, model.annotations))
    with state_of(snapshot(model)):
        model.annotations.append([1])
        assert list(map(id, model.annotations[:-1])) == entries
    assert len(model.annotations) == 100_000
