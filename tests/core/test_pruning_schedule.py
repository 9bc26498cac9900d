"""The share a budget prunes in each epoch, and what it saves in all."""

import math

import numpy as np
import pytest
import torch

from ies_mm.core import (
    Budget,
    Criterion,
    LossHistory,
    Progress,
    PruningPeriod,
    PruningSchedule,
    Quota,
    Standing,
)
from ies_mm.core.lengths import planned, too_much


@pytest.mark.parametrize('saved', [0.0, 0.1, 0.2, 0.4])
@pytest.mark.parametrize('anneal', [0, 3])
def test_a_budget_ends_where_it_was_told(saved: float, anneal: int) -> None:
    """25 epochs, of which the last share ``anneal`` prunes nothing."""
    instances, epochs = 60, 25
    criterion = Criterion(Budget(saved))
    draw = np.random.default_rng(1)
    history = LossHistory(instances, 1, criterion.depth)
    excluded, active = 0, torch.ones(instances, dtype=torch.bool)
    for epoch in range(1, epochs + 1):
        excluded += int((~active).sum())
        rows = torch.from_numpy(draw.random((instances, 1))).float()
        history.observe(torch.arange(instances), rows)
        ahead = max(epochs - anneal - epoch, 0)
        progress = Progress(
            torch.ones(1, dtype=torch.double),
            instances=instances, epochs=epochs,
            epochs_able=epochs - anneal - criterion.needed,
            epochs_ahead=ahead, excluded=excluded,
        )  # fmt: skip
        active = ~criterion.mastered(history, ['loss'], progress)
        if not ahead:
            active[:] = True
    assert excluded / (instances * epochs) == pytest.approx(saved, abs=0.005)


@pytest.mark.parametrize('saved', [0.05, 0.2, 0.4, 0.55, 0.63])
def test_a_budget_leaves_out_more_and_more(saved: float) -> None:
    """A line from zero, or from the value that makes it end at 0.9."""
    shares: list[float] = []
    for ahead in range(14, 0, -1):
        progress = Progress(
            torch.zeros(1), instances=10_000, epochs=20, epochs_able=14,
            epochs_ahead=ahead, excluded=round(10_000 * sum(shares)),
        )  # fmt: skip
        shares.append(PruningSchedule(saved).share(progress))
    mean = 20 * saved / 14
    assert np.mean(shares) == pytest.approx(mean, abs=0.002)
    assert max(shares) <= 0.9
    steps = np.diff(shares)
    assert steps.min() > -1e-6
    assert np.ptp(steps) < 0.005
    if mean < 0.45:
        assert shares[0] == pytest.approx(mean / 14, abs=0.001)
    else:
        assert shares[-1] == pytest.approx(0.9, abs=0.01)


def shares_of(schedule: PruningSchedule, epochs: int, able: int) -> list:
    """The pruned share of each epoch that may prune."""
    shares: list[float] = []
    for ahead in range(able, 0, -1):
        quota = Quota(
            instances=1, epochs=epochs, epochs_able=able,
            epochs_ahead=ahead, excluded=sum(shares),
        )  # fmt: skip
        shares.append(schedule.share(quota))
    return shares


def literal_shares(course: str, saved: float, epochs: int, able: int) -> list:
    """Each course as documented, where the cap has no effect."""
    if course == 'rising':
        wanted = [2 * k - 1 for k in range(1, able + 1)]
    elif course == 'even':
        wanted = [1] * able
    elif course == 'oscillating':
        wanted = [(able - k + 1) % 2 for k in range(1, able + 1)]
    else:
        last = math.ceil(epochs / 8)
        wanted = [1] * (able - last) + [0] * last
    return [saved * epochs * part / sum(wanted) for part in wanted]


@pytest.mark.parametrize(
    'course', ['rising', 'even', 'oscillating', 'annealed']
)
@pytest.mark.parametrize(('epochs', 'able'), [(12, 6), (20, 14), (60, 53)])
def test_every_course_saves_the_same(
    course: str, epochs: int, able: int
) -> None:
    found = shares_of(PruningSchedule(0.2, course), epochs, able)
    assert found == pytest.approx(literal_shares(course, 0.2, epochs, able))
    assert sum(found) == pytest.approx(0.2 * epochs)


@pytest.mark.parametrize(
    'course', ['rising', 'even', 'oscillating', 'annealed']
)
@pytest.mark.parametrize('cap', [0.4, 0.5, 0.7])
def test_a_cap_is_kept_and_the_share_still_saved(
    course: str, cap: float
) -> None:
    schedule = PruningSchedule(0.2, course, cap)
    found = shares_of(schedule, 12, 6)
    assert max(found) <= cap
    quota = Quota(instances=1, epochs=12, epochs_able=6, epochs_ahead=6)
    most = schedule.most(quota)
    assert sum(found) == pytest.approx(12 * min(0.2, most))
    able = {'oscillating': 3, 'annealed': 4}.get(course, 6)
    assert most == pytest.approx(cap * able / 12)


def test_a_capped_rise_starts_higher() -> None:
    """The end of a short schedule still trains on half of the images."""
    free = shares_of(PruningSchedule(0.2), 12, 6)
    capped = shares_of(PruningSchedule(0.2, cap=0.5), 12, 6)
    assert max(free) == pytest.approx(2.4 * 11 / 36)
    assert max(capped) == pytest.approx(0.5, abs=1e-9)
    assert capped[0] > free[0]
    assert np.all(np.diff(capped) > -1e-9)


def test_the_log_says_what_each_epoch_will_train() -> None:
    period, start = PruningPeriod(12, first=6), Standing(100, 0, 12)
    assert planned(PruningSchedule(0.2), period, start) == (
        'planned to train, in % of the images, from epoch 7 on: '
        '93 80 67 53 40 27'
    )
    assert planned(PruningSchedule(0.0), period, start) == ''
    short = PruningPeriod(6, first=6)
    assert planned(PruningSchedule(0.2), short, start) == ''


def test_a_run_that_goes_on_is_told_what_is_left() -> None:
    """After nine epochs in which nothing was pruned."""
    period, now = PruningPeriod(12, first=9), Standing(100, 9, 12)
    said = planned(PruningSchedule(0.1), period, now)
    assert ', from epoch 10 on: ' in said
    assert said.endswith(': 87 60 33')
    assert too_much(PruningSchedule(0.2), period, now) == ''
    assert 'can save 22% at most' in too_much(
        PruningSchedule(0.3), period, now
    )
    # What was pruned before counts.
    later = Standing(100, 9, 12, excluded=120)
    assert too_much(PruningSchedule(0.3), period, later) == ''


def test_rounding_to_whole_images_is_no_shortfall() -> None:
    """20 images, 20% of 12 epochs: 47 pruned, at most 18 in the last one."""
    schedule, period = (
        PruningSchedule(0.2, cap=0.9),
        PruningPeriod(12, first=6),
    )
    # 12 * 20 * 0.2 = 48, so 30 and 18 would do, and 29 are 0.4 points short.
    for excluded, short in ((30, False), (29, False), (28, True)):
        now = Standing(20, 11, 12, excluded=excluded)
        assert bool(too_much(schedule, period, now)) == short


def test_an_annealed_course_anneals_once() -> None:
    """The last eighth of 40 epochs, whichever argument sets it."""
    period = PruningPeriod(40, first=6, anneal=0.125)
    said = planned(
        PruningSchedule(0.2, 'annealed'), period, Standing(100, 0, 40)
    )
    parts = said.rpartition(': ')[2].split()
    assert len(parts) == 40 - 6 - 5
    assert '100' not in parts


def test_a_budget_that_is_too_large_leaves_something_to_train_on() -> None:
    progress = Progress(
        torch.ones(1, dtype=torch.double),
        instances=100, epochs=20, epochs_ahead=1, excluded=0,
    )  # fmt: skip
    assert PruningSchedule(0.5).share(progress) == 0.9


@pytest.mark.parametrize('begun', [0, 3, 10, 19])
@pytest.mark.parametrize('every', [0, 1, 5, 10])
def test_the_epoch_of_an_observation(begun: int, every: int) -> None:
    """Counted epoch by epoch: every tenth, say, is followed by a pass."""
    standing = Standing(8, begun=begun, scored_every=every)
    for observations in (1, 2, 6):
        epoch, found = begun, 0
        while found < observations:
            epoch += 1
            found += epoch % max(every, 1) == 0
        assert standing.after(observations) == epoch


@pytest.mark.parametrize('last', [0.05, 0.4, 0.99])
@pytest.mark.parametrize('anneal', [0.0, 0.2])
@pytest.mark.parametrize('saved', [0.1, 0.3])
@pytest.mark.parametrize('course', ['rising', 'even', 'oscillating'])
def test_an_incomplete_last_epoch_saves_its_part(
    course: str, saved: float, anneal: float, last: float
) -> None:
    """Six epochs that prune nothing, nine others, and ``last`` of one."""
    schedule = PruningSchedule(saved, course)
    period = PruningPeriod(16, first=6, anneal=anneal, last=last)
    excluded, lengths = 0.0, [1.0] * 15 + [last]
    for epoch, length in enumerate(lengths):
        share = 0.0
        if epoch >= 6 and period.may_prune(epoch):
            here = Standing(1, epoch, 16, excluded)
            share = schedule.share(period.quota(here))
        excluded += share * length
    possible = schedule.most(period.quota(Standing(1, 6, 16)))
    wanted = min(saved, possible)
    assert excluded / sum(lengths) == pytest.approx(wanted, abs=1e-6)


def test_an_incomplete_last_epoch_can_save_less() -> None:
    """Cap 0.9 in 1.5 of 3.5 epochs."""
    period = PruningPeriod(4, first=2, last=0.5)
    most = PruningSchedule(0.5).most(period.quota(Standing(1, 2, 4)))
    assert most == pytest.approx(0.9 * 1.5 / 3.5)
