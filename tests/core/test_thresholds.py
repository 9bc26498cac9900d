"""Adaptive thresholds against their equations."""

import math

import numpy as np
import pytest
import torch

from ies_mm.core import (
    Budget,
    Criterion,
    Fixed,
    LossHistory,
    Progress,
    Relative,
)
from ies_mm.core.first_loss import FirstLoss
from ies_mm.core.thresholds import build_threshold


def history_of(losses: np.ndarray, depth: int) -> LossHistory:
    """A history of (E, N, T) losses."""
    history = LossHistory(losses.shape[1], losses.shape[2], depth)
    for epoch in losses:
        ids = torch.arange(len(epoch))
        history.observe(ids, torch.from_numpy(epoch).float())
    return history


def second_differences(losses: np.ndarray) -> np.ndarray:
    """The paper's m_i of the last six epochs, (N, T)."""
    steps = losses[2:] - 2 * losses[1:-1] + losses[:-2]
    return np.abs(steps[-3:]).mean(axis=0)


@pytest.fixture
def losses() -> np.ndarray:
    """Two terms, the second at a tenth of the scale; (6, 40, 2)."""
    draw = np.random.default_rng(0)
    return draw.random((6, 40, 2)) * np.array([1.0, 0.1])


@pytest.mark.parametrize(('classes', 'delta'), [(10, 1e-3), (100, 2e-3)])
def test_relative_gives_the_deltas_of_the_authors(
    classes: int, delta: float
) -> None:
    first = torch.tensor([math.log(classes)], dtype=torch.double)
    threshold, progress = Relative(4.34e-4), Progress(first)
    limit = threshold.level(first, progress) * threshold.scale(progress)
    assert float(limit) == pytest.approx(delta, rel=1e-3)


@pytest.mark.parametrize(
    ('terms', 'joined'), [('all', np.all), ('any', np.any)]
)
def test_every_term_is_judged_on_its_own_scale(
    losses: np.ndarray, terms: str, joined: object
) -> None:
    criterion = Criterion(dict(type='Relative', factor=1.3), terms=terms)
    scale = losses[0].mean(axis=0)
    progress = Progress(torch.from_numpy(scale))
    history = history_of(losses, criterion.depth)
    mastered, _, limits = criterion.judge(history, ['a', 'b'], progress)
    expected = joined(second_differences(losses) < 1.3 * scale, axis=1)
    assert mastered.tolist() == expected.tolist()
    assert 0 < expected.sum() < 40
    np.testing.assert_allclose(limits, 1.3 * scale)


@pytest.mark.parametrize('terms', ['sum', 'all', 'any'])
def test_a_budget_masters_the_flattest(losses: np.ndarray, terms: str) -> None:
    criterion = Criterion(Budget(0.2), terms=terms)
    first = losses[0].mean(axis=0)
    if terms == 'sum':
        first = first.sum(keepdims=True)
    progress = Progress(
        torch.from_numpy(first),
        instances=40, epochs=20, epochs_able=14, epochs_ahead=10, excluded=40,
    )  # fmt: skip
    history = history_of(losses, criterion.depth)
    mastered = criterion.mastered(history, ['a', 'b'], progress)
    flat = second_differences(losses) / first
    score = flat.min(axis=1) if terms == 'any' else flat.max(axis=1)
    if terms == 'sum':
        score = second_differences(losses.sum(axis=2, keepdims=True))[:, 0]
    # 0.2 * 20 * 40 less 40, of which the fifth of 14 epochs, from the fifth
    # on, has 9 of 9 + 11 + ... + 27 parts.
    count = round(120 * 9 / sum(range(9, 28, 2)))
    assert set(np.flatnonzero(mastered)) == set(np.argsort(score)[:count])


def alike(images: int, learned: int, epochs: int = 6) -> LossHistory:
    """``learned`` images have the same loss, to the last digit.

    With order=0, their flatness is 0, and the others' 1, 2, ...
    """
    losses = np.zeros((epochs, images, 1))
    losses[:, learned:, 0] = np.arange(1, images + 1 - learned)
    return history_of(losses, 3)


@pytest.mark.parametrize('learned', [4, 6, 24, 36, 37, 38, 40])
def test_ties_are_broken_down_to_the_count_of_a_budget(learned: int) -> None:
    """Six of 40, however many are exactly as flat as the sixth one."""
    criterion = Criterion(Budget(0.2), order=0)
    history = alike(40, learned)

    def out(ahead: int, seed: int = 0) -> set[int]:
        # Of the 14 epochs that may prune, the one with this many ahead.
        behind = 14 - ahead
        left = 6 * (14**2 - behind**2) / (2 * behind + 1)
        progress = Progress(
            torch.ones(1, dtype=torch.double), seed, instances=40, epochs=20,
            epochs_able=14, epochs_ahead=ahead, excluded=160 - round(left),
        )  # fmt: skip
        mastered = criterion.mastered(history, ['loss'], progress)
        return set(torch.nonzero(mastered).flatten().tolist())

    drawn = [out(ahead) for ahead in (10, 9, 8)]
    assert [len(images) for images in drawn] == [6, 6, 6]
    flat = set(range(max(learned, 6)))
    assert set().union(*drawn) <= flat
    assert out(10) == drawn[0], 'not the same on all ranks'
    if learned > 6:
        assert drawn[0] != drawn[1], 'the same ones each time'
        assert out(10, seed=1) != drawn[0], 'the same ones for every seed'
        assert drawn[0] != set(range(6)), 'data sets are in an order'


def test_ties_are_broken_among_those_that_are_not_due_for_training() -> None:
    criterion = Criterion(Budget(0.2), order=0)
    able = torch.ones(40, dtype=torch.bool)
    able[::2] = False
    progress = Progress(
        torch.ones(1, dtype=torch.double),
        instances=40, epochs=20, epochs_able=14, epochs_ahead=10, excluded=40,
    )  # fmt: skip
    history = alike(40, 38)
    _, out, _ = criterion.judge(history, ['loss'], progress, able)
    assert int(out.sum()) == 6
    assert not out[~able].any()


@pytest.mark.parametrize('images', range(1, 12))
@pytest.mark.parametrize('alike_too', [False, True])
def test_a_budget_never_leaves_out_more_than_nine_tenths(
    images: int, alike_too: bool
) -> None:
    criterion = Criterion(Budget(0.5), order=0)
    progress = Progress(
        torch.ones(1, dtype=torch.double),
        instances=images, epochs=20, epochs_able=14, epochs_ahead=1,
    )  # fmt: skip
    history = alike(images, images if alike_too else 0)
    mastered = criterion.mastered(history, ['loss'], progress)
    assert int(mastered.sum()) == images * 9 // 10 < images


@pytest.mark.parametrize(
    ('delta', 'message'),
    [
        (dict(type='Relativ', factor=1), "type='Relativ'.*give a number"),
        (dict(factor=1), 'type=None'),
        (dict(type='Budget', saved=0.95), 'saved=0.95: .* from 0 to 0.9'),
        (dict(type='Relative', factor=-1), 'factor=-1: give a number >= 0'),
        (dict(type='NoiseFloor'), 'NoiseFloor was removed in 0.2.0'),
        (dict(type='Budget', share=1), "'share'; Budget takes saved, course"),
        (dict(type='Budget', saved=0.2, course='up'), "course='up': give one"),
        (dict(type='Budget', saved=0.2, cap=0), 'cap=0: nothing could be'),
        (dict(type='Budget', saved=0.2, cap=0.95), 'cap=0.95: .* from 0 to'),
        (dict(type='Budget'), "'saved'"),
        ('small', "delta='small': give a number"),
        (-1.0, 'delta=-1.0: give a number >= 0'),
    ],
)
def test_what_is_no_threshold_is_refused(delta: object, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        Criterion(delta)


def test_a_number_is_the_threshold_of_the_paper() -> None:
    assert build_threshold(0.1) == Fixed(0.1)


def test_the_first_loss_of_each_term() -> None:
    """YOLOX's L1 joins late; another is 0 until there are objects."""
    first, names = FirstLoss(), ['a', 'b', 'new']
    every = Criterion(dict(type='Relative', factor=1), terms='all')
    first.update(torch.tensor([[2.0, 0.0], [4.0, 0.0]]))
    assert first.judged(every, names[:2]).tolist() == [3, 0]
    # Before the new term's first epoch ends, nothing is flat in it.
    assert first.judged(every, names).tolist() == [3, 0, 0]
    first.update(torch.tensor([[1.0, 5.0, 0.5], [1.0, 7.0, 1.5]]))
    first.update(torch.tensor([[1.0, 1.0, torch.nan], [1.0, 1.0, 0.1]]))
    assert first.judged(every, names).tolist() == [3, 6, 1]
    assert first.judged(Criterion(0), names).tolist() == [10]
    resumed = FirstLoss()
    resumed.load_state_dict(first.state_dict())
    resumed.update(torch.ones(2, 3))
    assert resumed.judged(every, names).tolist() == [3, 6, 1]
