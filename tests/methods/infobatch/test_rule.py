"""InfoBatch and random removal against their papers."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ies_mm.core.reference import ReferenceInfoBatch
from ies_mm.methods.infobatch.rule import infobatch
from ies_mm.methods.random_removal.rule import random_removal

LOSSES = st.one_of(
    st.floats(0, 100, width=32), st.just(math.nan), st.just(0.5)
)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@given(
    epochs=st.lists(st.lists(LOSSES, min_size=7, max_size=7), max_size=4),
    ratio=st.sampled_from([0.0, 0.25, 0.5, 0.9]),
    seed=st.integers(0, 1000),
)
def test_infobatch_is_the_literal_loop(
    epochs: list[list[float]], ratio: float, seed: int
) -> None:
    """Pruned images are not observed and keep their scores."""
    loop = ReferenceInfoBatch(7, ratio)
    scores = torch.full((7,), torch.nan).double()
    dropped: list[int] = []
    for number, losses in enumerate(epochs):
        observed = {
            i: [loss] for i, loss in enumerate(losses) if i not in dropped
        }
        for instance, (loss,) in observed.items():
            scores[instance] = loss
        learned = loop.step(observed)
        below, selection = infobatch(scores, ratio, seeded(seed + number))
        assert below.tolist() == learned
        dropped = selection.excluded.tolist()
        expected = loop.weights(learned, dropped)
        assert selection.weight is not None
        found = selection.weight.where(selection.active, torch.tensor(0.0))
        assert found.tolist() == pytest.approx(expected)


@given(
    count=st.integers(1, 60),
    ratio=st.floats(0, 0.95),
    seed=st.integers(0, 1000),
)
def test_of_the_well_learned_alone_the_ratio_is_dropped(
    count: int, ratio: float, seed: int
) -> None:
    scores = torch.cat([torch.full((count,), 0.1), torch.full((5,), 9.0)])
    _, selection = infobatch(scores, ratio, seeded(seed))
    excluded = selection.excluded
    assert (excluded < count).all()
    assert abs(len(excluded) - ratio * count) < 1


def test_the_weighted_mean_is_the_plain_mean_in_expectation() -> None:
    """53 well-learned images: half of them is not an integer.

    Always rounded down, as in the published program, the mean would be
    off by 0.6%; the test detects a fifth of that.
    """
    generator = seeded(0)
    losses = torch.rand(100, generator=generator).double()
    losses[:53] *= 0.3
    losses[53:] += 1
    means = []
    for draw in range(20000):
        below, selection = infobatch(losses, 0.5, seeded(draw))
        assert int(below.sum()) == 53
        kept = losses * selection.weight * selection.active
        means.append(float(kept.mean()))
    values = torch.tensor(means)
    error = float(values.std() / len(values) ** 0.5)
    assert abs(float(values.mean() - losses.mean())) < 4 * error
    assert error < 0.0003 * float(losses.mean())


@pytest.mark.parametrize('ratio', [0.0, 0.1, 0.3, 0.155, 0.5, 0.99])
@pytest.mark.parametrize('instances', [1, 10, 205, 5001])
def test_random_removal_leaves_out_its_ratio(
    instances: int, ratio: float
) -> None:
    """Within one image, exactly if it is an integer, also on average."""
    everything = torch.arange(instances)
    counts = [
        len(random_removal([everything], ratio, seeded(seed)).excluded)
        for seed in range(200)
    ]
    exact = ratio * instances
    assert all(abs(count - exact) < 1 for count in counts)
    if exact > instances - 1:
        return  # one is always left
    if abs(exact - round(exact)) < 1e-6:
        assert set(counts) == {round(exact)}
    assert abs(sum(counts) / 200 - exact) < 4 * 0.5 / 200**0.5


def test_random_removal_leaves_one() -> None:
    counts = [
        int(random_removal([torch.arange(3)], 0.99, seeded(seed)).active.sum())
        for seed in range(50)
    ]
    assert set(counts) == {1}


def test_random_removal_draws_every_image_alike() -> None:
    left_out = torch.zeros(10)
    for seed in range(5000):
        drawn = random_removal([torch.arange(10)], 0.3, seeded(seed))
        left_out[drawn.excluded] += 1
    share = left_out / 5000
    assert (share - 0.3).abs().max() < 4 * (0.3 * 0.7 / 5000) ** 0.5


def test_nothing_finite_prunes_nothing() -> None:
    scores = torch.full((4,), math.nan)
    below, selection = infobatch(scores, 0.5, seeded(0))
    assert not below.any()
    assert selection.active.all()
