"""What modules, and what they hold, have again after they were used."""

from typing import Any

import torch
from torch import Tensor, nn

from ies_mm.losses.state import snapshot, state_of


class Counter:
    """Like mmdet's samplers: no module, and it remembers its calls."""

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
