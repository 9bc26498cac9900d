"""LossHistory keeps only the last observations."""

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
    """Whether few, most or all are observed at once."""
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


@given(
    old=st.lists(st.floats(0, 4, width=32), min_size=12, max_size=12),
    new=st.floats(0.5, 4, width=32),
    joins=st.integers(6, 11),
)
def test_a_term_that_joins_moves_no_difference(
    old: list[float], new: float, joins: int
) -> None:
    """Constant from its first value on: judged as if it were absent."""
    ids = torch.tensor([0])
    with_it, without = (LossHistory(1, 1, 5) for _ in range(2))
    for epoch, value in enumerate(old):
        without.observe(ids, torch.tensor([[value]]))
        if epoch == joins:
            with_it.add_terms(1)
        losses = [value] + [new] * (epoch >= joins)
        with_it.observe(ids, torch.tensor([losses]))
        ours, theirs = (
            torch.diff(h.values.sum(dim=2), n=2, dim=0)
            for h in (with_it, without)
        )
        torch.testing.assert_close(
            ours, theirs, rtol=0, atol=1e-4, equal_nan=True
        )


def test_a_term_that_joins_counts_zero_until_it_is_observed() -> None:
    """An image that is pruned meanwhile is not moved by it either."""
    history = LossHistory(instances=2, terms=1, depth=3)
    for value in (1.0, 2.0, 3.0):
        history.observe(torch.tensor([0, 1]), torch.full((2, 1), value))
    history.add_terms(1)
    history.observe(torch.tensor([0]), torch.tensor([[4.0, 7.0]]))
    assert history.values[:, 0].tolist() == [[2, 7], [3, 7], [4, 7]]
    assert history.values[:, 1].tolist() == [[1, 0], [2, 0], [3, 0]]
    resumed = LossHistory(instances=2, terms=2, depth=3)
    resumed.load_state_dict(history.state_dict())
    resumed.observe(torch.tensor([1]), torch.tensor([[4.0, 9.0]]))
    assert resumed.values[:, 1].tolist() == [[2, 9], [3, 9], [4, 9]]


def test_a_joining_term_that_is_not_finite_is_waited_for() -> None:
    history = LossHistory(instances=1, terms=1, depth=3)
    for value in (1.0, 2.0):
        history.observe(torch.tensor([0]), torch.tensor([[value]]))
    history.add_terms(1)
    history.observe(torch.tensor([0]), torch.tensor([[3.0, torch.inf]]))
    history.observe(torch.tensor([0]), torch.tensor([[4.0, 5.0]]))
    assert history.values[0].tolist() == [[2, 5]]
    assert history.values[1].isnan().all()
    assert history.values[2].tolist() == [[4, 5]]


@given(
    old=st.lists(st.floats(0, 4, width=32), min_size=14, max_size=14),
    other=st.floats(0.5, 4, width=32),
    leaves=st.integers(5, 8),
    away=st.integers(1, 5),
)
def test_a_term_that_leaves_and_comes_back_moves_no_difference(
    old: list[float], other: float, leaves: int, away: int
) -> None:
    """Constant while present: judged as if it were absent."""
    ids = torch.tensor([0])
    with_it, without = LossHistory(1, 2, 5), LossHistory(1, 1, 5)
    for epoch, value in enumerate(old):
        without.observe(ids, torch.tensor([[value]]))
        if epoch in (leaves, leaves + away):
            with_it.restart_terms([1])
        there = not leaves <= epoch < leaves + away
        with_it.observe(ids, torch.tensor([[value, other * there]]))
        ours, theirs = (
            torch.diff(h.values.sum(dim=2), n=2, dim=0)
            for h in (with_it, without)
        )
        torch.testing.assert_close(
            ours, theirs, rtol=0, atol=1e-4, equal_nan=True
        )


@given(
    curve=st.lists(st.floats(0, 4, width=32), min_size=14, max_size=14),
    jump=st.floats(-4, 4, width=32),
    at=st.integers(1, 12),
)
def test_a_jump_of_all_losses_moves_no_difference(
    curve: list[float], jump: float, at: int
) -> None:
    """Judged like a curve that is constant in the epoch of the jump."""
    ids = torch.tensor([0])
    jumping, still = LossHistory(1, 1, 5), LossHistory(1, 1, 5)
    for epoch, value in enumerate(curve):
        if epoch == at:
            jumping.restart_level()
        after = epoch >= at
        seen = value + jump * after
        jumping.observe(ids, torch.tensor([[seen]]))
        stood = value - (curve[at] - curve[at - 1]) * after
        still.observe(ids, torch.tensor([[stood]]))
        ours, theirs = (
            torch.diff(h.values, n=1, dim=0) for h in (jumping, still)
        )
        torch.testing.assert_close(
            ours, theirs, rtol=0, atol=1e-4, equal_nan=True
        )


def test_a_jump_waits_for_each_image_s_own_observation() -> None:
    history = LossHistory(instances=3, terms=1, depth=3)
    both = torch.tensor([0, 1])
    for value in (1.0, 2.0, 3.0):
        history.observe(both, torch.full((2, 1), value))
    history.restart_level()
    history.observe(torch.tensor([0, 2]), torch.tensor([[9.0], [5.0]]))
    assert history.values[:, 0, 0].tolist() == [8, 9, 9]
    assert history.values[:, 1, 0].tolist() == [1, 2, 3]
    resumed = LossHistory(instances=3, terms=1, depth=3)
    resumed.load_state_dict(history.state_dict())
    resumed.observe(torch.tensor([1]), torch.tensor([[torch.inf]]))
    resumed.observe(torch.tensor([0, 1]), torch.tensor([[9.5], [7.0]]))
    assert resumed.values[:, 0, 0].tolist() == [9, 9, 9.5]
    assert resumed.values[0, 1, 0] == 3
    assert resumed.values[1, 1, 0].isnan()
    assert resumed.values[2, 1, 0] == 7


def literal(
    values: list[float], seen: list[bool], switches: set[int], depth: int
) -> list[float]:
    """One image: an ignored jump shifts what was observed before it."""
    kept: list[float] = []
    last, waits = None, False
    for epoch, value in enumerate(values):
        if epoch in switches and kept:
            waits = waits or last is None or len(kept) - last >= depth
            last = len(kept)
        if seen[epoch]:
            if waits:
                kept = [old + value - kept[-1] for old in kept]
            waits = False
            kept.append(value)
    return kept[-depth:]


@given(
    values=st.lists(st.integers(-9, 9), min_size=30, max_size=30),
    seen=st.lists(st.booleans(), min_size=30, max_size=30),
    switches=st.sets(st.integers(0, 29)),
)
def test_repeated_switches(
    values: list[float], seen: list[bool], switches: set[int]
) -> None:
    history = LossHistory(1, 1, 4)
    for epoch, value in enumerate(values):
        if epoch in switches:
            history.restart_level()
        if seen[epoch]:
            history.observe(torch.tensor([0]), torch.tensor([[float(value)]]))
            again = LossHistory(1, 1, 4)
            again.load_state_dict(history.state_dict())
            history = again
    found = history.values[:, 0, 0]
    expected = literal(values, seen, switches, 4)
    assert found[torch.isfinite(found)].tolist() == expected


@pytest.mark.parametrize('switch', range(1, 12))
@pytest.mark.parametrize('look', [1, 2, 8, 10])
def test_switched_again_and_again_a_moving_curve_is_not_flat(
    switch: int, look: int
) -> None:
    history = LossHistory(1, 1, 6)
    for epoch in range(120):
        if epoch % switch == 0:
            history.restart_level()
        if epoch % look == 0:
            loss = torch.tensor([[float(epoch * epoch)]])
            history.observe(torch.tensor([0]), loss)
    flat = torch.diff(history.values[:, 0, 0]) == 0
    assert int(flat.sum()) <= 1
