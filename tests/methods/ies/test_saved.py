"""IESHook(saved=...): the default setting with one argument."""

from pathlib import Path
from typing import Any

import pytest
import torch

from ies_mm.core import Standing
from ies_mm.engine import IESHook, RandomRemovalHook
from ies_mm.methods.ies.rule import BY_TRAINING, IES
from ies_mm.methods.random_removal.rule import RandomRemoval
from ies_mm.methods.soft_ies.rule import SoftIES
from method_cases import config_of
from runs import epochs_of, parameters, train, with_hook

BUDGET = dict(type='Budget', saved=0.3)


@pytest.mark.parametrize(
    ('short', 'long'),
    [
        (
            lambda: IESHook(saved=0.3, order=1, window=1),
            lambda: IESHook(BUDGET, 1, 1, refresh_interval=BY_TRAINING),
        ),
        (
            lambda: RandomRemovalHook(saved=0.3),
            lambda: RandomRemovalHook(BUDGET),
        ),
    ],
)
def test_it_is_what_it_says_to_the_bit(
    folders: Path, tmp_path: Path, short: Any, long: Any
) -> None:
    left = []
    for name, hook in (('short', short()), ('long', long())):
        config = config_of(folders, tmp_path / name, 8)
        left.append(parameters(train(config, with_hook(hook))))
    assert {*left[0]} == {*left[1]}
    assert all(torch.equal(left[0][name], left[1][name]) for name in left[0])
    excluded = [
        [record['excluded'] for record in epochs_of(tmp_path / name)]
        for name in ('short', 'long')
    ]
    assert excluded[0] == excluded[1]
    assert sum(excluded[0]) > 0


@pytest.mark.parametrize('hook', [IESHook, RandomRemovalHook])
@pytest.mark.parametrize(
    ('arguments', 'found'), [(dict(), 'neither'), (dict(saved=0.2), 'both')]
)
def test_one_of_both_is_given(hook: Any, arguments: dict, found: str) -> None:
    first = {'IESHook': 'delta', 'RandomRemovalHook': 'ratio'}[hook.__name__]
    given = arguments | ({first: 0.1} if arguments else {})
    with pytest.raises(TypeError, match=f'found {found} of {first} and saved'):
        hook(**given)


def test_looks_may_be_set_beside_it() -> None:
    assert IESHook(saved=0.2).method.refresh_interval == BY_TRAINING
    assert IESHook(saved=0.2, refresh_interval=1).method.refresh_interval == 1
    assert IESHook(0.1).method.refresh_interval == 1


@pytest.mark.parametrize(
    ('method', 'first'),
    [
        (IES(BUDGET), 7 + 6),
        (SoftIES(saved=0.2, window=5), 7 + 6),
        (RandomRemoval(saved=0.2, begin=3), 7),
    ],
)
def test_a_budget_that_begins_late_counts_from_there(
    method: Any, first: int
) -> None:
    """After seven epochs of a plain run, the histories are still empty."""
    standing = Standing(100, epoch=7, epochs=30, begun=7)
    assert method.period(standing).first == first
    assert method.period(standing).able == 30 - first
    assert f'from epoch {first + 1} on: ' in method.forecast(standing)
