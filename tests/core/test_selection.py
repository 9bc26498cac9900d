"""When exclusion is allowed, and the counts of a selection."""

import time
from fractions import Fraction

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ies_mm.core import PruningPeriod, Selection, may_prune


def allowed(max_epochs: int, begin: int = 1, anneal: float = 0.0) -> list[int]:
    """The epochs that may exclude images."""
    return [
        epoch + 1
        for epoch in range(max_epochs)
        if may_prune(epoch, max_epochs, begin, anneal)
    ]


@pytest.mark.parametrize(
    ('max_epochs', 'begin', 'anneal', 'expected'),
    [
        (4, 1, 0.0, [2, 3, 4]),
        (4, 3, 0.0, [4]),
        (10, 1, 0.1, [2, 3, 4, 5, 6, 7, 8, 9]),
        (30, 25, 0.1, [26, 27]),
        (8, 5, 0.125, [6, 7]),
        (7, 5, 0.125, [6]),
        (4, 1, 1.0, []),
    ],
)
def test_begin_and_anneal(
    max_epochs: int, begin: int, anneal: float, expected: list[int]
) -> None:
    assert allowed(max_epochs, begin, anneal) == expected


def test_selection() -> None:
    selection = Selection(torch.tensor([True, False, True, False]))
    assert selection.excluded.tolist() == [1, 3]
    assert Selection.everything(3).active.all()


def test_weights_of_a_batch_are_none_where_all_are_one() -> None:
    weight = torch.tensor([1.0, 2.0, 1.0])
    selection = Selection(torch.ones(3, dtype=torch.bool), weight)
    assert selection.weights_of(torch.tensor([0, 2])) is None
    found = selection.weights_of(torch.tensor([2, 1, 1]))
    assert found is not None
    assert found.tolist() == [1, 2, 2]
    assert Selection.everything(3).weights_of(torch.tensor([0])) is None


@given(
    max_epochs=st.integers(1, 300),
    anneal=st.sampled_from([0.0, 0.1, 0.125, 0.3, 0.875, 1.0]),
)
def test_the_annealed_epochs_are_the_last_ones_for_any_product(
    max_epochs: int, anneal: float
) -> None:
    """epochs * anneal need not be an integer."""
    part = Fraction(str(anneal))
    whole = [
        epoch
        for epoch in range(1, max_epochs + 1)
        if epoch > max_epochs * (1 - part)
    ]
    pruned = set(allowed(max_epochs, anneal=anneal))
    assert not pruned & set(whole)
    assert pruned | set(whole) | {1} == set(range(1, max_epochs + 1))


@pytest.mark.parametrize(
    ('first', 'anneal', 'shortest'),
    [
        (6, 0.0, 7),
        (3, 0.0, 4),
        (20, 0.0, 21),
        (6, 0.5, 14),
        (6, 1, float('inf')),
    ],
)
def test_the_shortest_training_that_leaves_something_out(
    first: int, anneal: float, shortest: float
) -> None:
    assert PruningPeriod(1, first, 1, anneal).shortest == shortest


@given(
    first=st.integers(1, 30),
    anneal=st.one_of(
        st.sampled_from([0.0, 0.1, 0.125, 0.3, 0.9, 0.99]),
        st.floats(0, 0.99),
    ),
)
def test_the_shortest_is_the_first_that_will_do(
    first: int, anneal: float
) -> None:
    """Checked by trying every length."""
    lengths = range(1, 40 * first + 4000)
    able = (n for n in lengths if may_prune(first, n, 1, anneal))
    assert PruningPeriod(1, first, 1, anneal).shortest == next(able)


@pytest.mark.parametrize('rest', [1e-6, 1e-9, 1e-12, 2.0**-53])
def test_nearly_everything_annealed_is_no_long_search(rest: float) -> None:
    """Nor are the epochs of an endless training iterated over."""
    began = time.perf_counter()
    shortest = PruningPeriod(10, 6, 1, 1 - rest).shortest
    assert shortest == pytest.approx(7 / rest, rel=1e-3)
    assert PruningPeriod(10, 2**53, 2**53, 1 - rest).shortest > 2**53
    assert PruningPeriod(10**12, 6, 6).ahead(10) == 10**12 - 10
    assert time.perf_counter() - began < 1


@given(
    epochs=st.integers(1, 40),
    begin=st.integers(1, 12),
    anneal=st.sampled_from([0.0, 0.1, 0.5]),
    after=st.integers(0, 40),
)
def test_epochs_ahead_are_counted(
    epochs: int, begin: int, anneal: float, after: int
) -> None:
    period = PruningPeriod(epochs, begin, begin, anneal)
    reduced = allowed(epochs, begin, anneal)
    assert period.ahead(after) == sum(epoch > after for epoch in reduced)
    assert period.able == len(reduced)
