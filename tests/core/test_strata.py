"""Scores within classes, against a literal loop."""

import numpy as np
import pytest
import torch

from ies_mm.core import Budget, Criterion, LossHistory, Progress
from ies_mm.core.strata import ranks_within


def literal_ranks(scores: list[float], strata: list[int]) -> list[float]:
    found = []
    for score, stratum in zip(scores, strata, strict=True):
        others = [
            other
            for other, theirs in zip(scores, strata, strict=True)
            if theirs == stratum and other == other
        ]
        if score != score:
            found.append(float('nan'))
            continue
        lower = sum(other < score for other in others)
        equal = sum(other == score for other in others)
        found.append((lower + equal / 2) / len(others))
    return found


@pytest.mark.parametrize('seed', range(5))
def test_ranks_are_those_of_a_literal_loop(seed: int) -> None:
    draw = np.random.default_rng(seed)
    scores = draw.integers(0, 12, 60).astype(float)  # with ties
    scores[draw.random(60) < 0.1] = np.nan
    strata = draw.integers(-1, 4, 60)
    found = ranks_within(torch.from_numpy(scores), torch.from_numpy(strata))
    wanted = literal_ranks(scores.tolist(), strata.tolist())
    np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-12)


def test_nothing_is_known_yet() -> None:
    nan = torch.full((3,), torch.nan).double()
    assert bool(ranks_within(nan, torch.tensor([0, 0, 1])).isnan().all())
    assert len(ranks_within(nan[:0], torch.zeros(0).long())) == 0


@pytest.mark.parametrize('seed', range(3))
def test_a_budget_by_class_tilts_no_class(seed: int) -> None:
    """The losses of one class are ten times as large as the other's."""
    draw = np.random.default_rng(seed)
    labels = torch.from_numpy(draw.permutation([0] * 70 + [1] * 30))
    losses = torch.from_numpy(draw.random(100, dtype=np.float32))
    losses = losses * torch.where(labels == 1, 10.0, 1.0)
    history = LossHistory(100, 1, 1)
    for _ in range(2):
        history.observe(torch.arange(100), losses[:, None])
    progress = Progress(
        torch.ones(1, dtype=torch.double),
        instances=100, epochs=10, epochs_able=5, epochs_ahead=1, excluded=0,
    )  # fmt: skip
    criterion = Criterion(Budget(0.04), order=0, window=1)
    _, plain, _ = criterion.judge(history, ['loss'], progress)
    _, out, limits = criterion.judge(
        history, ['loss'], progress, strata=labels
    )
    assert int(plain.sum()) == int(out.sum()) == 40
    assert abs(int(out[labels == 0].sum()) - 28) <= 1
    assert int(plain[labels == 0].sum()) > 35
    assert limits.isnan().all()
    # Within a class, the smallest losses are chosen.
    for label in (0, 1):
        members = losses[labels == label]
        left_out = out[labels == label]
        assert members[left_out].max() < members[~left_out].min()
