"""Figures of a criterion on losses with known ground truth."""

from itertools import pairwise

import numpy as np
import pytest

from ies_mm.report.calibrating.measures import (
    NOISE,
    ceiling,
    further_decreases,
    persistence,
    predictive_power,
    rank_correlation,
    rises,
    variation,
)

EPOCHS, IMAGES = 30, 400


def curves(noise: float) -> tuple[np.ndarray, np.ndarray]:
    """Losses that fall at an individual speed per image, and the speeds."""
    draw = np.random.default_rng(0)
    speed = draw.uniform(0.0, 0.1, IMAGES)
    epochs = np.arange(EPOCHS)[:, None]
    clean = 5 + draw.random(IMAGES) - speed * epochs
    return clean + noise * draw.standard_normal(clean.shape), speed


def test_rank_correlation_heeds_order_alone() -> None:
    a = np.array([1.0, 5.0, np.nan, 2.0, 9.0])
    b = np.array([10.0, 50.0, 3.0, 11.0, 1e6])
    assert rank_correlation(a, b) == pytest.approx(1)
    assert rank_correlation(a, -b) == pytest.approx(-1)
    assert np.isnan(rank_correlation(a, np.ones(5)))
    assert np.isnan(rank_correlation(a[:2], b[:2]))


def test_without_noise_the_speed_is_a_perfect_criterion() -> None:
    losses, speed = curves(noise=0.0)
    scores = np.broadcast_to(speed, losses.shape)
    assert ceiling(losses) > 0.999
    assert predictive_power(scores, losses) > 0.999
    assert predictive_power(-scores, losses) < -0.999


def test_in_noise_alone_nothing_is_foreseen() -> None:
    losses = np.random.default_rng(0).standard_normal((EPOCHS, IMAGES))
    assert abs(ceiling(losses)) < 0.05
    # Regression to the mean would make the plain loss look predictive.
    assert abs(predictive_power(losses, losses)) < 0.05
    assert abs(persistence(losses, 5)) < 0.05


def test_noise_lowers_the_ceiling_and_what_can_be_foreseen() -> None:
    losses, speed = curves(noise=0.5)
    scores = np.broadcast_to(speed, losses.shape)
    limit = ceiling(losses)
    assert 0.5 < limit < 0.95
    # Even the true speeds only reach the root of the ceiling.
    assert predictive_power(scores, losses) == pytest.approx(
        limit**0.5, abs=0.03
    )


def test_decreases_are_from_epochs_after_the_one_that_is_asked() -> None:
    losses, _ = curves(noise=0.1)
    asked = dict(further_decreases(losses))
    other = losses.copy()
    other[:11] = 7.0
    for epoch, halves in further_decreases(other):
        if epoch >= 10:
            np.testing.assert_array_equal(halves, asked[epoch])
    assert max(asked) + 1 + 6 <= EPOCHS - 6


def test_the_halves_share_no_epoch() -> None:
    losses, _ = curves(noise=0.1)
    first, second = dict(further_decreases(losses))[5]
    losses[6:12:2] += np.random.default_rng(1).random((3, IMAGES))
    again, same = dict(further_decreases(losses))[5]
    np.testing.assert_array_equal(second, same)
    assert not np.array_equal(first, again)


def test_a_rise_is_that_of_the_image_beyond_the_others() -> None:
    losses = np.zeros((8, 4))
    losses += np.arange(8)[:, None] * 0.25  # all move alike
    losses[4:, 0] += 2.0
    trained = np.ones((8, 4), dtype=bool)
    trained[3:7, 0] = False  # pruned for four epochs
    trained[3:6, 1] = False  # re-included after three
    found = rises(losses, trained)
    assert found[2, 0] == pytest.approx(2.0)
    assert np.isfinite(found).sum() == 1


def test_a_rise_is_no_regression_to_the_mean() -> None:
    """Pure noise, random pruning: a high loss predicts nothing."""
    draw = np.random.default_rng(0)
    losses = draw.gamma(2, size=(60, 300))
    trained = np.repeat(draw.random((12, 300)) > 0.3, 5, axis=0)
    found = rises(losses, trained)
    scores = [losses[max(t - 2, 0) : t + 1].mean(axis=0) for t in range(60)]
    pairs = zip(scores, found, strict=True)
    assert abs(np.nanmean([rank_correlation(*pair) for pair in pairs])) < 0.1


@pytest.mark.filterwarnings('error')
def test_nothing_is_known_of_epochs_in_which_nobody_was_seen_twice() -> None:
    """With much pruning and no scoring: no figure, no warning."""
    losses = np.random.default_rng(0).random((20, 6))
    trained = np.ones(losses.shape, dtype=bool)
    for epoch in range(8, 20):
        trained[epoch] = np.arange(6) == epoch % 6
    losses[~trained] = np.nan
    assert not list(further_decreases(losses))
    assert np.isnan(ceiling(losses))
    assert np.isnan(rises(losses, trained)[7:]).all()


def literal_variation(losses: np.ndarray, order: int) -> list[float]:
    """Image by image, difference by difference."""
    found = []
    for epoch in range(len(losses)):
        values = []
        for image in range(losses.shape[1]):
            curve = [float(x) for x in losses[: epoch + 1, image]]
            for _ in range(order):
                curve = [b - a for a, b in pairwise(curve)]
            if curve and np.isfinite(curve[-1]):
                values.append(abs(curve[-1]))
        if len(values) < 2 or not any(values):
            found.append(np.nan)
            continue
        mean = sum(values) / len(values)
        square = sum((value - mean) ** 2 for value in values) / len(values)
        found.append(square**0.5 / mean)
    return found


@pytest.mark.parametrize('order', range(4))
def test_variation_is_that_of_a_literal_loop(order: int) -> None:
    draw = np.random.default_rng(order)
    losses = draw.gamma(2.0, size=(8, 7)).astype(np.float32)
    losses[draw.random(losses.shape) < 0.1] = np.nan
    losses[5, 1:] = np.nan
    np.testing.assert_allclose(
        variation(losses, order), literal_variation(losses, order), rtol=1e-12
    )


@pytest.mark.parametrize('order', [1, 2, 3])
@pytest.mark.parametrize('size', [1e-3, 10.0])
def test_noise_alone_varies_by_0_756(order: int, size: float) -> None:
    draw = np.random.default_rng(0)
    levels = draw.uniform(0, 5, 100_000)
    losses = levels + size * draw.standard_normal((5, len(levels)))
    found = variation(losses, order)
    assert np.isnan(found[:order]).all()
    assert found[order:] == pytest.approx(0.7555, abs=0.01)
    assert pytest.approx(0.7555, abs=1e-4) == NOISE


def test_images_that_stand_still_have_no_variation() -> None:
    losses = np.full((6, 5), 1.5)
    assert variation(losses, 0) == pytest.approx(0)
    assert np.isnan(variation(losses, 1)).all()
