"""A sample budget, against iterations counted one by one."""

import pytest

from ies_mm.training.loop.sample_budget import SampleBudget


def literal(sizes: list[int]) -> list[int]:
    """Samples consumed at the end of every iteration."""
    return [sum(sizes[: done + 1]) for done in range(len(sizes))]


def test_full_batches_of_one_size() -> None:
    behind = literal([4] * 10)
    budget = SampleBudget(10, 4)
    assert budget.samples == behind[-1]
    assert [budget.iterations_of(n) for n in behind] == list(range(1, 11))


@pytest.mark.parametrize('before', [2, 4, 6])
def test_what_is_left_has_the_present_size(before: int) -> None:
    behind = literal([before] * 3 + [4] * 7)
    budget = SampleBudget(10, 4).resumed((0, 0), before, behind[2])
    assert budget.samples == behind[-1]
    assert budget.iterations_ahead == (10 if before == 4 else 7)
    assert [budget.iterations_of(n) for n in behind[2:]] == list(range(3, 11))


def test_resized_twice() -> None:
    behind = literal([2] * 3 + [4] * 3 + [1] * 4)
    once = SampleBudget(10, 4).resumed((0, 0), 2, behind[2])
    twice = SampleBudget(10, 1).resumed(once.since, 4, behind[5])
    assert twice.samples == behind[-1]
    assert [twice.iterations_of(n) for n in behind[5:]] == list(range(6, 11))


def test_a_state_that_wrote_neither() -> None:
    assert SampleBudget(10, 4).resumed(None, None, 12) == SampleBudget(10, 4)


def test_a_training_that_was_made_shorter_than_it_is() -> None:
    budget = SampleBudget(2, 4).resumed((0, 0), 2, 6)
    assert budget.iterations_ahead == 0
    assert budget.samples == 6
