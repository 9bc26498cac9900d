"""When pruned images are re-checked, against a literal loop."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ies_mm.core import (
    Budget,
    Criterion,
    Every,
    LossHistory,
    Progress,
    PruningSchedule,
    Recheck,
    Spaced,
    Waits,
    build_recheck,
)

Looks = list[tuple[int, str]]


def literal(flat: list[bool], cap: int, by: str) -> Looks:
    """One image's re-checks; ``flat[e]``: mastered if observed in e."""
    looks, wait, left = [], 0, 0
    for epoch, is_flat in enumerate(flat, start=1):
        out = left > 0
        if out:
            left -= 1
        if not out:
            looks.append((epoch, 'trained'))
        elif by == 'scoring' and left == 0:
            looks.append((epoch, 'scored'))
        else:
            continue
        if is_flat:
            wait = min(max(2 * wait, 1), cap)
            left = wait
        else:
            wait = left = 0
    return looks


def ours(flat: list[bool], policy: Recheck) -> Looks:
    """The same by ``Waits``, for one image among three."""
    waits, looks = Waits(3), []
    mastered = torch.zeros(3, dtype=torch.bool)
    out = torch.zeros(3, dtype=torch.bool)
    for epoch, is_flat in enumerate(flat, start=1):
        scored = out & policy.scored(waits.wait, waits.seen, epoch)
        observed = ~out | scored
        if observed[1]:
            looks.append((epoch, 'scored' if scored[1] else 'trained'))
            mastered[1] = is_flat
        waits.observe(torch.nonzero(observed).flatten(), epoch)
        due = policy.trained(waits.wait, waits.seen, epoch + 1)
        waits.settle(policy, mastered, epoch)
        out = mastered & ~due
    return looks


@given(
    flat=st.lists(st.booleans(), max_size=40),
    cap=st.integers(1, 9),
    by=st.sampled_from(['scoring', 'training']),
)
def test_spaced_looks_are_those_of_the_literal_loop(
    flat: list[bool], cap: int, by: str
) -> None:
    assert ours(flat, Spaced(cap, by)) == literal(flat, cap, by)


def test_an_image_that_stays_mastered_is_looked_at_ever_less() -> None:
    looks = ours([True] * 32, Spaced(cap=8))
    assert looks == [
        (1, 'trained'), *((e, 'scored') for e in (2, 4, 8, 16, 24, 32)),
    ]  # fmt: skip
    looks = ours([True] * 32, Spaced(cap=4, by='training'))
    assert looks == [(e, 'trained') for e in (1, 3, 6, 11, 16, 21, 26, 31)]


def test_one_that_moved_starts_over() -> None:
    flat = [True] * 40
    flat[16 - 1] = False
    looks = [epoch for epoch, _ in ours(flat, Spaced(cap=8))]
    assert looks == [1, 2, 4, 8, 16, 17, 18, 20, 24, 32, 40]


@given(flat=st.lists(st.booleans(), max_size=20), interval=st.integers(1, 5))
def test_every_so_many_epochs(flat: list[bool], interval: int) -> None:
    looks = ours(flat, Every(interval))
    scored = [epoch for epoch, how in looks if how == 'scored']
    assert all(epoch % interval == 0 for epoch in scored)
    # Images not re-checked in such an epoch were trained in it.
    due = [e for e in range(1, len(flat) + 1) if e % interval == 0]
    assert {epoch for epoch, _ in looks} >= set(due)


@given(
    losses=st.lists(st.floats(0, 4, width=32), min_size=6, max_size=12),
    gaps=st.lists(st.integers(0, 8), min_size=12, max_size=12),
    order=st.integers(0, 3),
)
def test_gaps_between_observations_do_not_count(
    losses: list[float], gaps: list[int], order: int
) -> None:
    """Consecutive observations are judged, however far apart."""
    criterion = Criterion(0.5, order=order, window=2)
    dense = LossHistory(2, 1, criterion.depth)
    sparse = LossHistory(2, 1, criterion.depth)
    for loss, gap in zip(losses, gaps, strict=False):
        value = torch.tensor([[loss]])
        dense.observe(torch.tensor([0]), value)
        sparse.observe(torch.tensor([0]), value)
        for _ in range(gap):  # Epochs in which the other image is observed.
            sparse.observe(torch.tensor([1]), value)
    assert (
        criterion.mastered(dense, ['loss'])[0]
        == criterion.mastered(sparse, ['loss'])[0]
    )


def test_a_drift_between_looks_reads_as_movement() -> None:
    """0.1 per epoch is flat at equal gaps, but not at 1, 2, 4, 8."""
    criterion = Criterion(0.05)

    def mastered(epochs: list[int]) -> bool:
        history = LossHistory(1, 1, criterion.depth)
        for epoch in epochs:
            history.observe(torch.tensor([0]), torch.tensor([[0.1 * epoch]]))
        return bool(criterion.mastered(history, ['loss'])[0])

    assert mastered([1, 2, 3, 4, 5, 6])
    assert not mastered([1, 2, 3, 5, 9, 17])


def test_the_level_of_a_budget_is_found_among_those_that_can_go() -> None:
    history = LossHistory(6, 1, 1)
    criterion = Criterion(Budget(0.5), order=0, window=1)
    for _ in range(criterion.needed):
        history.observe(torch.arange(6), torch.arange(1.0, 7)[:, None])
    progress = Progress(
        torch.ones(1).double(), instances=6, epochs=4,
        epochs_able=4, epochs_ahead=1,
    )  # fmt: skip
    able = torch.tensor([False, True, True, True, True, True])
    mastered, out, _ = criterion.judge(history, ['loss'], progress, able)
    share = PruningSchedule(0.5).share(progress)
    assert torch.equal(out, mastered & able)
    assert int(out.sum()) == round(6 * share) > 0
    _, everyone, _ = criterion.judge(history, ['loss'], progress)
    assert int(everyone.sum()) == round(6 * share)
    # More than are able; the flattest of the others wait.
    able[:] = False
    able[-1] = True
    _, out, _ = criterion.judge(history, ['loss'], progress, able)
    assert torch.nonzero(out).flatten().tolist() == list(range(int(out.sum())))
    assert int(out.sum()) == round(6 * share)


def test_what_a_config_gives() -> None:
    assert build_recheck(3) == Every(3)
    assert build_recheck({'type': 'Spaced'}) == Spaced(8, 'scoring')
    policy = {'type': 'Spaced', 'cap': 2, 'by': 'training'}
    assert build_recheck(policy) == Spaced(2, 'training')


@pytest.mark.parametrize(
    ('given', 'error', 'says'),
    [
        (0, ValueError, 'refresh_interval=0: give an integer >= 1'),
        (0.5, TypeError, 'refresh_interval=0.5: give an integer'),
        ({}, ValueError, 'give a number, or the type'),
        ({'type': 'Often'}, ValueError, "the type 'Spaced'$"),
        ({'type': 'Spacd'}, ValueError, "did you mean 'Spaced'"),
        ({'type': 'Spaced', 'cap': 0}, ValueError, 'cap=0'),
        ({'type': 'Spaced', 'cap': 2**31}, ValueError, 'from 1 to 1073741824'),
        ({'type': 'Spaced', 'cap': '8'}, TypeError, '^cap=.8.: give an'),
        ({'type': ['Spaced']}, ValueError, 'give a number, or the type'),
        ({'type': 'Spaced', 'by': 'luck'}, ValueError, "'scoring' or"),
        ({'type': 'Spaced', 'k': 1}, TypeError, 'Spaced takes cap, by'),
    ],
)
def test_bad_arguments(given: object, error: type, says: str) -> None:
    with pytest.raises(error, match=says):
        build_recheck(given)
