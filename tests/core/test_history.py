"""LossHistory keeps the last observations and nothing else."""

import time

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ies_mm.core import Criterion, LossHistory


def test_rows_move_up_only_where_observed() -> None:
    history = LossHistory(instances=3, terms=1, depth=2)
    history.observe(torch.tensor([2, 0]), torch.tensor([[2.0], [0.5]]))
    history.observe(torch.tensor([0]), torch.tensor([[0.25]]))
    assert history.values[:, 0, 0].tolist() == [0.5, 0.25]
    assert history.values[1, 2, 0] == 2
    assert history.values[:, 1].isnan().all()
    assert history.count.tolist() == [2, 0, 1]


@given(
    epochs=st.lists(
        st.sets(st.integers(0, 4)).map(sorted), min_size=1, max_size=8
    )
)
def test_it_is_a_list_of_each_instance_cut_at_the_front(
    epochs: list[list[int]],
) -> None:
    """However many are observed at once, few, most or all."""
    history = LossHistory(instances=5, terms=1, depth=3)
    lists: list[list[float]] = [[] for _ in range(5)]
    for epoch, ids in enumerate(epochs):
        losses = torch.tensor([[10.0 * epoch + i] for i in ids])
        history.observe(torch.tensor(ids).long(), losses.reshape(-1, 1))
        for i in ids:
            lists[i].append(10.0 * epoch + i)
    for i, expected in enumerate(lists):
        kept = history.values[:, i, 0]
        assert kept[~kept.isnan()].tolist() == expected[-3:]
    assert history.count.tolist() == [len(seen) for seen in lists]


def test_refuses_an_instance_twice_and_wrong_shapes() -> None:
    history = LossHistory(3, 2, 1)
    with pytest.raises(ValueError, match='holds an instance twice'):
        history.observe(torch.tensor([1, 1]), torch.zeros(2, 2))
    with pytest.raises(ValueError, match=r'expected \(1, 2\)'):
        history.observe(torch.tensor([1]), torch.zeros(1, 3))
    assert not history.count.any()


def test_state_goes_over_and_a_foreign_one_is_refused() -> None:
    history, other = LossHistory(3, 2, 2), LossHistory(3, 2, 2)
    history.observe(torch.tensor([1]), torch.ones(1, 2))
    other.load_state_dict(history.state_dict())
    assert torch.equal(other.values.isnan(), history.values.isnan())
    assert torch.equal(other.count, history.count)
    with pytest.raises(ValueError, match=r'\(2, 3, 2\), this run has'):
        LossHistory(4, 2, 2).load_state_dict(history.state_dict())


def test_imagenet_size_stays_in_time_and_memory() -> None:
    """1.28 million instances: within a second, at most 64 bytes each."""
    instances = 1_280_000
    criterion = Criterion(1e-3)
    history = LossHistory(instances, 1, criterion.depth)
    kept = sum(
        tensor.numel() * tensor.element_size()
        for tensor in history.state_dict().values()
    )
    assert kept / instances <= 64
    ids, losses = torch.arange(instances), torch.rand(instances, 1)
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        history.observe(ids, losses)
        criterion.mastered(history, ['loss'])
        seconds.append(time.perf_counter() - start)
    assert min(seconds) <= 1
