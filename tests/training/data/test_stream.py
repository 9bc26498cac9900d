"""The endless stream against InfiniteSampler and a literal loop."""

from itertools import islice
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from mmengine.dataset import InfiniteSampler

from ies_mm.training.data import stream as module
from ies_mm.training.data.stream import EndlessStream


def on_rank(monkeypatch: pytest.MonkeyPatch, rank: int, world: int) -> None:
    from mmengine.dataset import sampler

    monkeypatch.setattr(sampler, 'get_dist_info', lambda: (rank, world))
    monkeypatch.setattr(module, 'get_rank', lambda: rank)
    monkeypatch.setattr(module, 'get_world_size', lambda: world)


@pytest.mark.parametrize('shuffle', [True, False])
@pytest.mark.parametrize(('rank', 'world'), [(0, 1), (0, 3), (2, 3)])
def test_with_everything_selected_it_is_the_infinite_sampler(
    monkeypatch: pytest.MonkeyPatch, shuffle: bool, rank: int, world: int
) -> None:
    on_rank(monkeypatch, rank, world)
    plain = InfiniteSampler(range(10), shuffle, seed=5)
    ours = EndlessStream(10, shuffle, seed=5)
    assert list(islice(ours, 47)) == list(islice(plain, 47))


def orders(size: int, seed: int, passes: int) -> list[list[int]]:
    generator = torch.Generator()
    generator.manual_seed(seed)
    return [
        torch.randperm(size, generator=generator).tolist()
        for _ in range(passes)
    ]


def literally(size: int, seed: int, active: set[int]) -> list[tuple]:
    """(position, pass, consumed) of four passes, as documented."""
    walk = []
    for number, order in enumerate(orders(size, seed, 4)):
        for index, position in enumerate(order):
            if position not in active:
                continue
            after = index + 1
            while after < size and order[after] not in active:
                after += 1
            walk.append((position, number, number * size + after))
    return walk


@given(
    size=st.integers(1, 12),
    seed=st.integers(0, 99),
    data=st.data(),
)
def test_what_is_not_selected_is_skipped_and_counted(
    size: int, seed: int, data: Any
) -> None:
    active = data.draw(st.sets(st.integers(0, size - 1), min_size=1))
    mask = torch.zeros(size, dtype=torch.bool)
    mask[list(active)] = True
    expected = literally(size, seed, active)
    stream = EndlessStream(size, True, seed)
    stream.select(mask)
    positions = list(islice(stream, len(expected)))
    assert positions == [position for position, _, _ in expected]
    assert [(d.passes[0], d.consumed) for d in stream.drawn] == [
        (number, consumed) for _, number, consumed in expected
    ]


def test_the_ranks_share_one_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    active = torch.tensor([True, False, True, True, False, True, True])
    shown, counts = [], []
    for rank in range(2):
        on_rank(monkeypatch, rank, 2)
        stream = EndlessStream(7, True, seed=1)
        stream.select(active)
        shown.append(list(islice(stream, 5)))
        counts.append([drawn.consumed for drawn in stream.drawn])
    # Ten samples of five selected positions make two passes.
    assert sorted(shown[0] + shown[1]) == sorted([0, 2, 3, 5, 6] * 2)
    assert counts[0] == counts[1]
    assert counts[0][-1] == 14


def test_a_selection_holds_from_the_next_sample_on() -> None:
    order = orders(6, 3, 1)[0]
    stream = EndlessStream(6, True, seed=3)
    samples = iter(stream)
    first = [next(samples), next(samples)]
    keep = torch.zeros(6, dtype=torch.bool)
    keep[order[4]] = True
    stream.select(keep)
    assert [*first, next(samples), next(samples)] == [
        order[0],
        order[1],
        order[4],
        order[4],
    ]
    assert [drawn.consumed for drawn in stream.drawn][:3] == [1, 2, 6]


@pytest.mark.parametrize('consumed', [0, 4, 10, 25])
def test_it_goes_on_where_it_was(consumed: int) -> None:
    whole = list(islice(EndlessStream(10, True, seed=5), 47))
    rest = EndlessStream(10, True, seed=5, consumed=consumed)
    assert list(islice(rest, 47 - consumed)) == whole[consumed:]


def test_with_nothing_selected_it_ends() -> None:
    stream = EndlessStream(4, True, seed=0)
    stream.select(torch.zeros(4, dtype=torch.bool))
    assert list(stream) == []


@given(
    size=st.integers(1, 12),
    consumed=st.integers(0, 30),
    active=st.sets(st.integers(0, 11)),
    fetched=st.integers(0, 5),
)
def test_it_knows_what_the_coming_batches_consume(
    size: int, consumed: int, active: set[int], fetched: int
) -> None:
    """Workers have already fetched some of their samples."""
    ours = EndlessStream(size, True, 3, consumed)
    mask = torch.zeros(12, dtype=torch.bool)
    mask[list(active)] = True
    ours.select(mask[:size])
    drawing = iter(ours)
    list(islice(drawing, fetched))
    foreseen = ours.consumed_after(batches=3, samples=4)
    list(islice(drawing, max(0, 12 - fetched)))
    assert foreseen == [drawn.consumed for drawn in ours.drawn][3:12:4]
