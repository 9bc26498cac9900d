"""DIHCL's rules against its paper."""

import math

import pytest
import torch

from ies_mm.core import LossHistory, Standing
from ies_mm.core.running import update_running
from ies_mm.methods.dihcl.rule import DIHCL, budget, hardest

NAN = math.nan


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_the_running_hardness_is_an_exponential_average() -> None:
    running = torch.tensor([NAN, 2.0, 4.0, 8.0]).double()
    ids, losses = torch.tensor([0, 1, 3]), torch.tensor([1.0, 3.0, NAN])
    update_running(running, ids, losses, discount=0.9)
    # It starts with the first value; unobserved or NaN leaves it unchanged.
    assert running.tolist() == pytest.approx([1.0, 2.9, 4.0, 8.0])
    update_running(running, torch.tensor([0]), torch.tensor([0.0]), 0.25)
    assert running.tolist() == pytest.approx([0.75, 2.9, 4.0, 8.0])


def test_budgets_that_shrink_and_grow() -> None:
    shrinking = [budget(epoch, 1.0, 0.5, 0.2) for epoch in range(5)]
    assert shrinking == [1.0, 0.5, 0.25, 0.2, 0.2]
    growing = [budget(epoch, 0.25, 2.0, 0.8) for epoch in range(4)]
    assert growing == [0.25, 0.5, 0.8, 0.8]
    assert budget(10**6, 0.25, 10, 0.8) == 0.8
    assert budget(10**6, 1.0, 0.5, 0.2) == 0.2


def test_the_harder_the_likelier() -> None:
    """One of four is drawn with a probability by hardness."""
    running = torch.tensor([1.0, 2.0, 3.0, 4.0])
    drawn = torch.zeros(4)
    for seed in range(4000):
        active = hardest(running, 0.25, seeded(seed)).active
        assert int(active.sum()) == 1
        drawn += active
    expected = running / running.sum()
    error = (expected * (1 - expected) / 4000).sqrt()
    assert ((drawn / 4000 - expected).abs() < 4 * error).all()


@pytest.mark.parametrize('part', [0.01, 0.5, 1.0])
def test_drawn_as_by_torch(part: float) -> None:
    running = torch.rand(300, generator=seeded(1)).double() + 0.1
    drawn = torch.multinomial(running, round(part * 300), generator=seeded(2))
    found = hardest(running, part, seeded(2)).active
    assert torch.equal(found.nonzero().flatten(), drawn.sort().values)


def test_more_instances_than_torch_can_draw_from() -> None:
    running = torch.ones(2**24 + 1)
    with pytest.raises(RuntimeError, match='2\\^24'):
        torch.multinomial(running, 1)
    assert int(hardest(running, 1e-6, seeded(0)).active.sum()) == 17


@pytest.mark.parametrize('part', [0.0, 0.3, 0.5, 1.0])
def test_the_budget_is_met(part: float) -> None:
    """Also if more images are asked for than there are hard ones."""
    running = torch.tensor([0.0, 0.0, 0.0, 5.0, NAN, 0.0, 0.0, 0.0, 0.0, 0.0])
    selection = hardest(running, part, seeded(1))
    assert int(selection.active.sum()) == max(1, round(part * 10))
    assert selection.weight is None


def test_what_is_not_known_counts_as_hard() -> None:
    running = torch.tensor([0.001] * 8 + [NAN, 5.0])
    active = hardest(running, 0.2, seeded(0)).active
    assert torch.nonzero(active).flatten().tolist() == [8, 9]


def test_nothing_known_at_all() -> None:
    active = hardest(torch.full((4,), NAN), 0.5, seeded(0)).active
    assert int(active.sum()) == 2


@pytest.mark.parametrize(
    'arguments',
    [
        dict(),
        dict(warmup=11),
        dict(warmup=12),
        dict(start=0.3, factor=1.5, end=1.0),
        dict(start=0.9, factor=1.0, end=0.9, warmup=3),
    ],
)
@pytest.mark.parametrize('epochs', [1, 3, 4, 5, 6, 7, 12, 13])
def test_a_run_that_prunes_nothing_is_named(
    arguments: dict, epochs: int
) -> None:
    method = DIHCL(**arguments)
    method.begin_training(100, 0)
    history = LossHistory(100, 1, 1)
    decisions = [
        method.decide(history, ['loss'], Standing(100, epoch, epochs))
        for epoch in range(1, epochs)
    ]
    prunes = any(len(d.selection.excluded) for d in decisions)
    said = method.shortfall(Standing(100, 0, epochs))
    assert bool(said) != prunes
    if said:
        assert f'anything in {epochs} epochs with warmup=' in said


def test_what_is_asked_to_prune_nothing_falls_short_of_nothing() -> None:
    method = DIHCL(start=1.0, factor=0.9, end=1.0)
    assert not method.shortfall(Standing(100, 0, 2))
