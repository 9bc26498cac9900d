"""When exclusion is allowed, and what a selection says of itself."""

import pytest
import torch

from ies_mm.core import Selection, may_exclude


def allowed(max_epochs: int, begin: int = 1, anneal: float = 0.0) -> list[int]:
    """The epochs that may train on less than everything."""
    return [
        epoch + 1
        for epoch in range(max_epochs)
        if may_exclude(epoch, max_epochs, begin, anneal)
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
