"""Which terms are judged: names, weights, invalid arguments."""

import numpy as np
import pytest
import torch

from ies_mm.core import Criterion, LossHistory


def test_a_list_of_terms_judges_their_sum_alone() -> None:
    history = LossHistory(1, 3, 5)
    for epoch in range(6):
        history.observe(
            torch.tensor([0]),
            torch.tensor([[1.0, 100.0 * (-1) ** epoch, 2.0]]),
        )
    names = ['flat', 'wild', 'other']
    assert Criterion(0.1, terms=['flat', 'other']).mastered(history, names)
    assert not Criterion(0.1, terms=['flat', 'wild']).mastered(history, names)
    assert not Criterion(0.1).mastered(history, names)
    with pytest.raises(ValueError, match=r'no term .gone.; it has flat, wild'):
        Criterion(0.1, terms=['gone']).mastered(history, names)


def test_weights_of_terms() -> None:
    draw = np.random.default_rng(0)
    losses = draw.random((6, 30, 3)).astype(np.float32)
    weights = {'c': 0.5, 'a': 2.0}
    criterion = Criterion(0.4, terms=weights)
    history = LossHistory(30, 3, criterion.depth)
    for epoch in losses:
        history.observe(torch.arange(30), torch.from_numpy(epoch))
    judged = 2.0 * losses[..., 0].astype(float) + 0.5 * losses[..., 2]
    steps = np.abs(judged[2:] - 2 * judged[1:-1] + judged[:-2])
    expected = steps[-3:].mean(axis=0) < 0.4
    mastered = criterion.mastered(history, ['a', 'b', 'c'])
    assert mastered.tolist() == expected.tolist()
    assert 0 < expected.sum() < 30


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(terms={'a': -1.0}), r"terms\['a'\]=-1.0: give a number >= 0"),
        (dict(terms={'a': 'much'}), r"terms\['a'\]='much': give a number"),
        (dict(terms={}), 'give at least one term name'),
        (dict(terms={'a': 0.0}), 'give a weight above 0'),
    ],
)
def test_bad_weights(arguments: dict, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        Criterion(0.1, **arguments)
