"""How much time scoring takes, and how it is reported."""

import logging

import pytest

from ies_mm.methods.ies.rule import IES
from ies_mm.methods.random_removal.rule import RandomRemoval
from ies_mm.training.hook.mixing_options import interval_of
from ies_mm.training.hook.scoring_share import ScoringShare

LOG = logging.getLogger('share')
ADVICE = 'score fewer images'


@pytest.mark.parametrize(
    ('epochs', 'interval'),
    [(300, 10), (120, 10), (119, 9), (36, 3), (24, 2), (12, 1), (3, 1)],
)
def test_half_of_the_epochs_are_left_to_prune(
    epochs: int, interval: int
) -> None:
    """IES needs six observations, which are never over 10 epochs apart."""
    method = IES(saved=0.2)
    assert interval_of(method, epochs, mixing=True) == interval
    assert interval_of(method, epochs, mixing=False) == 1


def test_warned_once_above_five_percent(
    caplog: pytest.LogCaptureFixture,
) -> None:
    share = ScoringShare(LOG, ADVICE)
    # The first pass starts the workers, so wait for another one.
    assert share.add(100, 9, 7) == pytest.approx(0.09)
    assert not caplog.records
    for _ in range(6):
        share.add(100, 0, 7)
    assert share.add(100, 63, 7) == pytest.approx(72 / 800)
    share.add(100, 90, 7)
    [warning] = caplog.records
    assert warning.getMessage() == (
        'scoring images by forward passes takes 9% of the training time so '
        'far, above 5%; scoring=dict(interval=13) brings it below that'
    )


def test_what_is_left_out_can_be_looked_at_less_often(
    caplog: pytest.LogCaptureFixture,
) -> None:
    share = ScoringShare(LOG, ADVICE)
    for _ in range(3):
        share.add(10, 1, 0)
    [warning] = caplog.records
    assert warning.message.endswith(f'; {ADVICE}')


def test_nothing_is_said_of_five_percent(
    caplog: pytest.LogCaptureFixture,
) -> None:
    share = ScoringShare(LOG, ADVICE)
    assert [share.add(20, 1, 7) for _ in range(9)] == [0.05] * 9
    assert share.add(20, 0, 7) < 0.05
    assert not caplog.records


def test_who_reads_no_loss() -> None:
    assert IES(saved=0.2).reads_losses
    assert not RandomRemoval(0.2).reads_losses
