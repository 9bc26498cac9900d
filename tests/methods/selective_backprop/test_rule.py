"""Selective-Backprop's probabilities against a literal count."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ies_mm.methods.selective_backprop.rule import RecentLosses

LOSS = st.floats(0, 10, width=32)


@given(
    batches=st.lists(st.lists(LOSS, min_size=1, max_size=5), min_size=1),
    beta=st.sampled_from([0.0, 1.0, 2.5]),
)
def test_the_share_of_recent_losses_that_are_not_above(
    batches: list[list[float]], beta: float
) -> None:
    recent, seen = RecentLosses(6), []
    for batch in batches:
        seen += batch
        recent.add(torch.tensor(batch))
    found = recent.probabilities(torch.tensor(batches[-1]), beta)
    history = seen[-6:]
    for loss, probability in zip(batches[-1], found.tolist(), strict=True):
        share = sum(other <= loss for other in history) / len(history)
        assert probability == pytest.approx(share**beta, rel=1e-5)


def test_a_loss_that_is_nan_is_chosen_and_not_remembered() -> None:
    recent = RecentLosses(4)
    recent.add(torch.tensor([1.0, math.nan, 2.0, math.inf]))
    assert recent.values.tolist() == [1.0, 2.0]
    losses = torch.tensor([math.nan, 1.0, math.inf])
    assert recent.probabilities(losses, 1.0).tolist() == [1.0, 0.5, 1.0]


def test_nothing_known_chooses_all() -> None:
    assert RecentLosses(4).probabilities(torch.ones(2), 1.0).tolist() == [1, 1]


@pytest.mark.parametrize('beta', [1.0, 2.0])
def test_a_steady_distribution_is_thinned_to_one_in_beta_plus_one(
    beta: float,
) -> None:
    generator = torch.Generator().manual_seed(0)
    recent = RecentLosses(1024)
    recent.add(torch.rand(1024, generator=generator))
    losses = torch.rand(20000, generator=generator)
    mean = float(recent.probabilities(losses, beta).mean())
    assert mean == pytest.approx(1 / (beta + 1), abs=0.02)
