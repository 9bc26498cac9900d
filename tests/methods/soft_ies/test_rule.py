"""Drawing by flatness against its equations."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from ies_mm.methods.soft_ies.rule import (
    chances,
    soft_removal,
    systematic_sample,
)

DRAWS = 4000


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def literal(scores: list[float], keep: int, floor: float) -> list[float]:
    """Set one probability after the other to 1 until none exceeds it."""
    count = len(scores)
    places = sorted(range(count), key=lambda i: scores[i])
    wanted = {
        i: floor + 2 * (1 - floor) * (place + 0.5) / count
        for place, i in enumerate(places)
    }
    certain: list[int] = []
    while True:
        total = sum(w for i, w in wanted.items() if i not in certain)
        factor = (keep - len(certain)) / total if total else 0.0
        least_flat = [i for i in reversed(places) if i not in certain][:1]
        if not least_flat or factor * wanted[least_flat[0]] <= 1:
            return [
                1.0 if i in certain else factor * wanted[i]
                for i in range(count)
            ]
        certain.append(least_flat[0])


@given(
    numbers=st.lists(st.integers(0, 99), min_size=1, max_size=30, unique=True),
    part=st.floats(0, 1),
    floor=st.sampled_from([0.01, 0.3, 0.5, 0.99]),
)
def test_the_chances_are_the_literal_ones(
    numbers: list[int], part: float, floor: float
) -> None:
    scores = [number / 10 for number in numbers]
    keep = max(1, round(part * len(scores)))
    found = chances(torch.tensor(scores).double(), keep, floor)
    assert found.sum() == pytest.approx(keep)
    expected = literal(scores, keep, floor)
    assert found.tolist() == pytest.approx(expected)


def test_the_flattest_has_the_floor_s_part_of_the_mean_chance() -> None:
    found = chances(torch.arange(1000).double(), 200, 0.25)
    assert found[0] == pytest.approx(0.25 * 0.2, rel=1e-2)
    assert found[-1] == pytest.approx(1.75 * 0.2, rel=1e-2)
    assert (torch.diff(found) > 0).all()


def test_the_flattest_has_more_where_others_are_trained_for_certain() -> None:
    found = chances(torch.arange(1000).double(), 900, 0.5)
    assert found[-1] == 1
    assert 0.5 < found[0] / 0.9 < 0.7


@pytest.mark.parametrize('keep', [3, 9])
def test_equal_scores_have_equal_chances(keep: int) -> None:
    """Wherever they are in the dataset; the sum is unchanged."""
    scores = torch.tensor([0.0, 2, 0, 1, 0, math.nan, 0, math.nan, 3, 0])
    found = chances(scores.double(), keep, 0.1)
    assert len(found[scores == 0].unique()) == 1
    assert len(found[scores.isnan()].unique()) == 1
    assert found.sum() == pytest.approx(keep)
    distinct = chances(torch.arange(10).double(), keep, 0.1)
    assert found[0] == pytest.approx(float(distinct[:5].mean()))
    assert found[5] == pytest.approx(float(distinct[8:].mean()))
    assert found[3] == pytest.approx(float(distinct[5]))


def test_with_a_floor_of_one_all_are_alike() -> None:
    selection = soft_removal(torch.rand(20).double(), 0.4, 1.0, seeded(0))
    assert selection.weight is not None
    assert int(selection.active.sum()) == 12
    assert selection.weight.tolist() == pytest.approx([1.0] * 20)


def test_what_is_not_known_yet_counts_as_the_least_flat() -> None:
    scores = torch.tensor([0.3, math.nan, 0.1]).double()
    found = chances(scores, 1, 0.5)
    assert found[1] > found[0] > found[2]


def drawn(chance: Tensor) -> Tensor:
    """bool (DRAWS, N)."""
    generator = seeded(0)
    draws = [systematic_sample(chance, generator) for _ in range(DRAWS)]
    return torch.stack(draws)


@pytest.mark.parametrize('keep', [1, 4, 9, 11])
def test_each_is_drawn_with_its_chance(keep: int) -> None:
    """The number is constant; four standard errors of 4000 draws."""
    scores = torch.rand(12, generator=seeded(1)).double()
    chance = chances(scores, keep, 0.3)
    draws = drawn(chance)
    assert (draws.sum(dim=1) == keep).all()
    error = (chance * (1 - chance) / DRAWS).sqrt()
    assert ((draws.double().mean(dim=0) - chance).abs() <= 4 * error).all()


def test_two_of_a_pair_are_not_always_drawn_together() -> None:
    """The order is random, too, or a comb would hit the same neighbours."""
    draws = drawn(torch.full((6,), 0.5).double())
    together = (draws.T.double() @ draws.double()) / DRAWS
    pairs = together[~torch.eye(6, dtype=torch.bool)]
    assert (pairs - 0.2).abs().max() < 0.04


def test_the_weighted_mean_is_that_of_all_in_expectation() -> None:
    """With weights; without them, it is not."""
    scores = torch.linspace(0, 1, 12).double()
    values = scores.square() + 1
    weighted, plain = [], []
    generator = seeded(2)
    for _ in range(DRAWS):
        selection = soft_removal(scores, 0.4, 0.25, generator)
        assert selection.weight is not None
        trained = values[selection.active]
        weight = selection.weight[selection.active]
        weighted.append(float((trained * weight).mean()))
        plain.append(float(trained.mean()))
    error = torch.tensor(weighted).std() / math.sqrt(DRAWS)
    mean = float(values.mean())
    assert abs(sum(weighted) / DRAWS - mean) < 4 * error
    assert abs(sum(plain) / DRAWS - mean) > 10 * error


def test_without_weights_the_draw_is_the_same() -> None:
    scores = torch.rand(10).double()
    weighted = soft_removal(scores, 0.4, 0.5, seeded(0))
    plain = soft_removal(scores, 0.4, 0.5, seeded(0), weighted=False)
    assert plain.weight is None
    assert torch.equal(plain.active, weighted.active)


@pytest.mark.parametrize('ratio', [0.0, 0.04])
def test_nothing_left_out_has_no_weights(ratio: float) -> None:
    selection = soft_removal(torch.rand(10).double(), ratio, 0.5, seeded(0))
    assert selection.active.all()
    assert selection.weight is None


def test_one_is_always_left() -> None:
    selection = soft_removal(torch.rand(3).double(), 0.99, 0.5, seeded(0))
    assert int(selection.active.sum()) == 1
