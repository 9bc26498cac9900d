"""OrderDP against a literal loop."""

import math
import random
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ies_mm.core import LossHistory, Standing
from ies_mm.methods.orderdp.rule import OrderDP, order_dp

EPOCHS = 12
LOSSES = st.one_of(
    st.floats(0, 100, width=32), st.just(math.nan), st.just(0.5)
)


def begun(instances: int, **arguments: Any) -> OrderDP:
    method = OrderDP(**arguments)
    method.begin_training(instances, 3)
    return method


@given(
    losses=st.lists(LOSSES, min_size=2, max_size=12),
    chance=st.sampled_from([0.0, 0.3, 1.0]),
    seed=st.integers(0, 1000),
    data=st.data(),
)
def test_the_largest_of_what_was_not_drawn_are_trained(
    losses: list[float], chance: float, seed: int, data: st.DataObject
) -> None:
    pruned = data.draw(st.integers(0, len(losses) - 1))
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(losses), generator=generator).tolist()
    drawn = order[: round(pruned * chance)]
    rest = [i for i in order if i not in drawn]
    while len(drawn) < pruned:
        known = [i for i in rest if not math.isnan(losses[i])]
        first = min(known, key=lambda i: losses[i]) if known else rest[0]
        rest.remove(first)
        drawn.append(first)
    generator.manual_seed(seed)
    values = torch.tensor(losses).double()
    selection = order_dp(values, pruned, chance, generator)
    assert set(selection.excluded.tolist()) == set(drawn)
    assert selection.weight is None


def epochs(method: OrderDP, losses: torch.Tensor) -> list[torch.Tensor]:
    """What each epoch trains; ``losses`` never change."""
    history = LossHistory(method.instances, 1, 1)
    standing = Standing(method.instances, 0, EPOCHS, 0, 0.1)
    active = method.first_selection(standing).active
    found, excluded = [active], 0
    for epoch in range(1, EPOCHS):
        ids = torch.nonzero(active).flatten()
        history.observe(ids, losses[ids][:, None])
        excluded += int((~active).sum())
        standing = Standing(method.instances, epoch, EPOCHS, excluded, 0.1)
        decision = method.decide(history, ['loss'], standing)
        active = decision.selection.active
        found.append(active)
    return found


def test_the_published_ratios() -> None:
    """70% are pruned; of the subset, only the largest are trained."""
    losses = torch.tensor(random.Random(0).sample(range(1000), 1000)).float()
    found = epochs(begun(1000), losses)
    assert [int(active.sum()) for active in found] == [300] * EPOCHS
    # 300 of 800 drawn: the largest 375 of all, each with a chance of 0.8.
    last = losses[found[-1]]
    assert last.min() > 1000 - 375 - 60
    assert 0.7 < (last >= 1000 - 375).sum() / 375 < 0.9


def test_a_budget_is_saved_from_an_epoch_on() -> None:
    found = epochs(begun(200, saved=0.3, begin=3), torch.rand(200))
    counts = [int((~active).sum()) for active in found]
    assert not any(counts[:3])
    assert sum(counts) == pytest.approx(0.3 * 200 * EPOCHS, abs=3)


def test_an_image_is_always_kept() -> None:
    tiny = begun(3, random_ratio=0.5, top_ratio=0.01)
    assert all(active.any() for active in epochs(tiny, torch.rand(3)))


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(random_ratio=0), 'random_ratio=0 keeps nothing'),
        (dict(top_ratio=1.5), 'top_ratio=1.5: give a number from 0 to 1'),
        (dict(saved=0.95), '0.95'),
    ],
)
def test_arguments_that_do_not_fit(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        OrderDP(**arguments)
