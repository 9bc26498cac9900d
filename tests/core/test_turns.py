"""Draws spread evenly over the epochs, against their definition."""

import math
import random

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ies_mm.core.turns import Turns

N = 24


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def chance_of(sizes: list[float], count: int) -> torch.Tensor:
    """Chances up to 1, in proportion to the sizes, that sum to the count."""
    chance = torch.tensor(sizes).double() + 0.1
    for _ in range(len(sizes)):
        chance = (chance * count / chance.sum()).clamp(max=1)
    return chance


@given(counts=st.lists(st.integers(1, N), max_size=12), seed=st.integers(0, 9))
def test_equal_chances_make_shuffled_passes(
    counts: list[int], seed: int
) -> None:
    turns, times = Turns(), torch.zeros(N)
    for epoch, count in enumerate(counts):
        chance = torch.full((N,), count / N).double()
        drawn = turns.draw(chance, seeded(100 * seed + epoch))
        assert drawn.sum() == count
        times += drawn
        assert times.max() - times.min() <= 1


def literal(chances: list[list[float]], seeds: list[int]) -> list[set[int]]:
    """Each instance has turns in [0, 1), [1, 2), ... of its own sum."""
    turn: list[float] = []
    passes = [0] * N
    had = [0.0] * N
    found = []
    for row, seed in zip(chances, seeds, strict=True):
        place = torch.rand(N, generator=seeded(seed), dtype=torch.double)
        turn = turn or place.tolist()
        had = [before + new for before, new in zip(had, row, strict=True)]
        late = sorted(range(N), key=lambda i: turn[i] - had[i])
        drawn = {*late[: round(sum(row))]}
        for i in drawn:
            passes[i] += 1
            turn[i] = passes[i] + float(place[i])
        found.append(drawn)
    return found


@given(
    sizes=st.lists(
        st.lists(st.floats(0, 1), min_size=N, max_size=N), max_size=8
    ),
    numbers=st.randoms(use_true_random=False),
)
def test_it_draws_what_a_literal_loop_draws(
    sizes: list[list[float]], numbers: random.Random
) -> None:
    turns = Turns()
    chances = [chance_of(row, numbers.randint(1, N)) for row in sizes]
    seeds = [numbers.randint(0, 999) for _ in sizes]
    found = [
        {*turns.draw(chance, seeded(seed)).nonzero().flatten().tolist()}
        for chance, seed in zip(chances, seeds, strict=True)
    ]
    assert found == literal([chance.tolist() for chance in chances], seeds)


def test_each_is_drawn_as_often_as_its_chances_add_up_to() -> None:
    """Independent draws would miss by six draws on average."""
    turns, times, wanted = Turns(), torch.zeros(N), torch.zeros(N)
    for epoch in range(200):
        sizes = [(i + 1) / N for i in range(N)]
        chance = chance_of(sizes, 6 + epoch % 7)
        times += turns.draw(chance, seeded(epoch))
        wanted += chance
        assert (times - wanted).abs().max() < 2.5
    assert wanted.max() > 5 * wanted.min()


def test_the_first_draw_already_has_the_chances() -> None:
    """Not the largest chance first; four standard errors of 2000 draws."""
    chance = chance_of([(i + 1) / N for i in range(N)], 8)
    draws = torch.stack(
        [Turns().draw(chance, seeded(seed)) for seed in range(2000)]
    )
    mean = draws.double().mean(dim=0)
    assert (mean.diff() > -0.05).all()
    assert mean[0] == pytest.approx(float(chance[0]), abs=0.024)
    assert mean[-1] == pytest.approx(float(chance[-1]), abs=0.045)


def test_it_comes_back_at_even_intervals() -> None:
    """An instance with a chance of 1/4 waits four epochs, give or take."""
    turns = Turns()
    chance = torch.full((N,), 0.25).double()
    epochs = [turns.draw(chance, seeded(e))[0] for e in range(400)]
    drawn = torch.stack(epochs).nonzero().flatten().double()
    waits = drawn.diff()
    assert waits.mean() == pytest.approx(4, abs=0.1)
    # Independent draws: sqrt(12).
    assert waits.std() < math.sqrt(12) / 1.5


def test_a_restored_state_goes_on() -> None:
    chance = chance_of([0.5] * 12 + [1.0] * 12, 9)
    whole, again = Turns(), Turns()
    assert whole.state_dict() == {}
    again.load_state_dict({})
    whole.draw(chance, seeded(0))
    again.load_state_dict(whole.state_dict())
    for seed in range(1, 9):
        there = whole.draw(chance, seeded(seed))
        assert torch.equal(there, again.draw(chance, seeded(seed)))
