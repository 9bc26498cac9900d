"""The tensor criterion against the literal loop, and its edge cases."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ies_mm.core import Criterion, LossHistory
from ies_mm.core.criteria import CHUNK
from ies_mm.core.reference import ReferenceIES

# Few distinct values make ties with delta frequent; the rest is arbitrary.
LOSS = st.one_of(
    st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]),
    st.floats(0, 100, width=32),
    st.sampled_from([float('nan'), float('inf')]),
)


@st.composite
def runs(draw: st.DrawFn) -> tuple[int, int, float, list[dict]]:
    """(order, window, delta, epochs); an epoch may omit instances."""
    instances = draw(st.integers(1, 50))
    terms = draw(st.integers(1, 3))
    row = st.lists(LOSS, min_size=terms, max_size=terms)
    epoch = st.dictionaries(st.integers(0, instances - 1), row)
    full = st.fixed_dictionaries(dict.fromkeys(range(instances), row))
    epochs = draw(st.lists(st.one_of(full, epoch), max_size=12))
    delta = draw(st.sampled_from([0.0, 0.25, 0.5, 1.0, 7.3]))
    return (
        draw(st.integers(0, 3)),
        draw(st.integers(1, 5)),
        delta,
        [dict(enumerate([None] * instances)), *epochs],
    )


def step(history: LossHistory, observed: dict) -> None:
    """Pass an epoch in the reference's form to the history."""
    ids = torch.tensor(list(observed), dtype=torch.long)
    rows = torch.tensor(list(observed.values()), dtype=torch.float32).reshape(
        len(observed), history.terms
    )
    history.observe(ids, rows)


@settings(max_examples=300, deadline=None)
@given(runs())
def test_same_decisions_as_the_literal_loop(run: tuple) -> None:
    order, window, delta, (everyone, *epochs) = run
    terms = max((len(r) for e in epochs for r in e.values()), default=1)
    criterion = Criterion(delta, order, window)
    history = LossHistory(len(everyone), terms, criterion.depth)
    reference = ReferenceIES(len(everyone), delta, order, window)
    for observed in epochs:
        step(history, observed)
        single = {
            i: np.asarray(row, dtype=np.float32).tolist()
            for i, row in observed.items()
        }
        expected = reference.step(single)
        names = [f'loss_{t}' for t in range(terms)]
        assert criterion.mastered(history, names).tolist() == expected


@settings(max_examples=100, deadline=None)
@given(runs(), st.sampled_from(['all', 'any']))
def test_terms_judged_one_by_one(run: tuple, terms: str) -> None:
    order, window, delta, (everyone, *epochs) = run
    count = max((len(r) for e in epochs for r in e.values()), default=1)
    criterion = Criterion(delta, order, window, terms)
    history = LossHistory(len(everyone), count, criterion.depth)
    references = [
        ReferenceIES(len(everyone), delta, order, window) for _ in range(count)
    ]
    combine = all if terms == 'all' else any
    for observed in epochs:
        step(history, observed)
        # A NaN in any term invalidates the row, so each term's loop gets it.
        spoilt = {
            i: row if np.isfinite(row).all() else [np.nan] * count
            for i, row in observed.items()
        }
        verdicts = [
            reference.step(
                {i: [float(np.float32(r[t]))] for i, r in spoilt.items()}
            )
            for t, reference in enumerate(references)
        ]
        expected = [
            bool(combine(each)) for each in zip(*verdicts, strict=True)
        ]
        names = [str(t) for t in range(count)]
        assert criterion.mastered(history, names).tolist() == expected


def test_the_published_numbers() -> None:
    """Six observations with the defaults; a straight line is mastered."""
    history = LossHistory(1, 1, Criterion(1e-3).depth)
    verdicts = []
    for epoch in range(8):
        history.observe(torch.tensor([0]), torch.tensor([[5.0 - epoch / 4]]))
        verdicts.append(bool(Criterion(1e-3).mastered(history, ['loss'])))
    assert verdicts == [False] * 5 + [True] * 3


def test_a_nan_is_forgotten_with_the_observations_around_it() -> None:
    criterion = Criterion(0.1)
    history = LossHistory(1, 1, criterion.depth)
    verdicts = []
    for loss in [1.0] * 6 + [float('nan')] + [1.0] * 6:
        history.observe(torch.tensor([0]), torch.tensor([[loss]]))
        verdicts.append(bool(criterion.mastered(history, ['loss'])))
    assert verdicts == [False] * 5 + [True] + [False] * 5 + [True] * 2


def test_delta_zero_masters_nothing() -> None:
    history = LossHistory(4, 1, 5)
    for _ in range(10):
        history.observe(torch.arange(4), torch.zeros(4, 1))
    assert not Criterion(0).mastered(history, ['loss']).any()


def test_chunks_are_joined_in_order() -> None:
    count = CHUNK + 3
    history = LossHistory(count, 1, 1)
    losses = torch.arange(count, dtype=torch.float32)[:, None]
    for _ in range(2):
        history.observe(torch.arange(count), losses)
    mastered = Criterion(10, order=0, window=1).mastered(history, ['loss'])
    assert torch.equal(mastered, losses[:, 0] < 10)


@pytest.mark.parametrize(
    ('arguments', 'error', 'message'),
    [
        (dict(delta=-1), ValueError, 'delta=-1: give a number >= 0'),
        (dict(delta=float('nan')), ValueError, 'delta=nan'),
        (dict(delta='0.1'), TypeError, "delta='0.1': give a number"),
        (dict(delta=True), TypeError, 'delta=True: give a number'),
        (
            dict(delta=1, order=4),
            ValueError,
            'order=4: give an integer from 0 to 3',
        ),
        (dict(delta=1, order=1.5), TypeError, 'order=1.5: give an integer'),
        (
            dict(delta=1, window=0),
            ValueError,
            'window=0: give an integer from 1 to 1000',
        ),
        (dict(delta=1, terms='some'), ValueError, "terms='some'"),
        (dict(delta=1, terms=[]), ValueError, 'at least one term name'),
        (dict(delta=1, terms=3), TypeError, 'terms=3'),
        (dict(delta=1, terms=['a', 'a']), ValueError, 'give each name once'),
    ],
)
def test_bad_arguments(arguments: dict, error: type, message: str) -> None:
    with pytest.raises(error, match=message.replace('.', r'\.')):
        Criterion(**arguments)
