"""A decision runs in one thread and restores the thread count."""

from collections.abc import Iterator

import pytest
import torch

from ies_mm.core import Criterion, LossHistory
from ies_mm.core.threads import one_thread


@pytest.fixture(autouse=True)
def two_threads() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(threads)


def test_one_thread_inside_and_the_same_as_before_after_it() -> None:
    with one_thread():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 2


def test_threads_are_given_back_after_an_exception() -> None:
    with pytest.raises(KeyError), one_thread():
        raise KeyError
    assert torch.get_num_threads() == 2


def test_judging_uses_one(monkeypatch: pytest.MonkeyPatch) -> None:
    used = []

    def flatness(*args: object) -> torch.Tensor:
        used.append(torch.get_num_threads())
        return torch.zeros(7, 1)

    monkeypatch.setattr(Criterion, 'flatness', flatness)
    Criterion(1e-3).mastered(LossHistory(7, 1, 5), ['loss'])
    assert used == [1]
    assert torch.get_num_threads() == 2
