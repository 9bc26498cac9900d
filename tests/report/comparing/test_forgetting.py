"""Forgetting of the images pruned first, by literal loops."""

import numpy as np
import pytest

from ies_mm.report.comparing.forgetting import first_pruned, forgetting_of
from ies_mm.report.reading.run_instances import Instances

EPOCHS, IMAGES = 12, 40


def run_of(seed: int, often: float = 0.15) -> Instances:
    """Random losses, exclusions and hits, with holes."""
    draw = np.random.default_rng(seed)
    shape = (EPOCHS, IMAGES)
    losses = draw.gamma(2.0, size=shape).astype(np.float32)
    losses[draw.random(shape) < 0.1] = np.nan
    correct = (draw.random(shape) < 0.6).astype(np.float32)
    correct[draw.random(shape) < 0.1] = np.nan
    excluded = draw.random(shape) < often
    excluded[:2] = False
    names = [str(number) for number in range(IMAGES)]
    epochs = np.arange(1, EPOCHS + 1)
    return Instances(names, epochs, losses, excluded, ['loss'], correct)


def first_epochs(excluded: np.ndarray) -> list[int | None]:
    found: list[int | None] = []
    for image in range(excluded.shape[1]):
        epochs = [e for e in range(len(excluded)) if excluded[e, image]]
        found.append(epochs[0] if epochs else None)
    return found


def mean_of(values: list[float]) -> float:
    known = [value for value in values if not np.isnan(value)]
    enough = len(known) >= 0.75 * len(values)
    return sum(known) / len(known) if enough else float('nan')


@pytest.mark.parametrize('seed', range(5))
def test_nobody_pruned_earlier_is_missed(seed: int) -> None:
    excluded = run_of(seed).excluded
    first = first_epochs(excluded)
    chosen = first_pruned(excluded, 0.2).tolist()
    assert chosen == sorted(set(chosen))
    assert len(chosen) == 8
    latest = max(first[image] for image in chosen)  # type: ignore[type-var]
    for image, epoch in enumerate(first):
        if epoch is not None and epoch < latest:
            assert image in chosen


@pytest.mark.parametrize('seed', range(5))
def test_figures_are_those_of_a_literal_loop(seed: int) -> None:
    run = run_of(seed)
    found = forgetting_of(run, 0.2)
    assert found is not None
    early = first_pruned(run.excluded, 0.2).tolist()
    assert (found.images, found.early) == (IMAGES, len(early))
    assert [moment.epoch for moment in found.moments] == [3, 6, 9, 12]
    for moment in found.moments:
        row = moment.epoch - 1
        assert run.correct is not None
        for value, table, images in (
            (moment.loss, run.losses, range(IMAGES)),
            (moment.early_loss, run.losses, early),
            (moment.accuracy, run.correct, range(IMAGES)),
            (moment.early_accuracy, run.correct, early),
        ):
            wanted = mean_of([float(table[row, i]) for i in images])
            assert value == pytest.approx(wanted, rel=1e-6, nan_ok=True)
    times = []
    for image in early:
        back = 0
        for epoch in range(1, EPOCHS):
            was_out = run.excluded[epoch - 1, image]
            back += int(was_out and not run.excluded[epoch, image])
        times.append(back)
    assert found.mean_back == pytest.approx(sum(times) / len(times))
    assert found.most_back == max(times)


def test_ties_are_not_broken_by_the_order_of_the_images() -> None:
    # By folder, so the first images are of the first class.
    excluded = np.zeros((4, 1000), dtype=bool)
    excluded[2] = True
    chosen = first_pruned(excluded, 0.1)
    assert len(chosen) == 100
    assert 400 < chosen.mean() < 600
    again = first_pruned(excluded, 0.1)
    assert chosen.tolist() == again.tolist()


def test_fewer_than_asked_for() -> None:
    excluded = np.zeros((4, 100), dtype=bool)
    excluded[1, [7, 9]] = True
    assert first_pruned(excluded, 0.05).tolist() == [7, 9]
    assert first_pruned(excluded, 0.001).tolist() in ([7], [9])


def test_nothing_to_say() -> None:
    run = run_of(0)
    late = Instances(
        run.names, run.epochs + 1, run.losses, run.excluded, run.terms
    )
    assert forgetting_of(late) is None
    kept = run_of(0, often=0.0)
    assert forgetting_of(kept) is None


def test_accuracy_that_was_not_recorded() -> None:
    run = run_of(0)
    bare = Instances(
        run.names, run.epochs, run.losses, run.excluded, run.terms
    )
    found = forgetting_of(bare, 0.5)
    assert found is not None
    assert np.isnan(found.moments[0].accuracy)
    assert np.isnan(found.moments[0].early_accuracy)
    assert not np.isnan(found.moments[0].early_loss)


def test_a_moment_is_the_last_epoch_that_was_scored() -> None:
    """A training that mixes images scores them only every few epochs."""
    run = run_of(0)
    unscored = [epoch not in (2, 5, 11) for epoch in range(1, EPOCHS + 1)]
    run.losses[unscored] = np.nan
    found = forgetting_of(run)
    assert found is not None
    assert [moment.epoch for moment in found.moments] == [2, 5, 11]
    assert not any(np.isnan(moment.loss) for moment in found.moments)


def test_images_that_were_not_scored_are_not_left_out_of_a_mean() -> None:
    """Rechecked by training, pruned images are not observed."""
    run = run_of(0)
    unscored = run.excluded.copy()
    unscored[-1, : IMAGES // 2] = True
    run.losses[unscored] = np.nan
    found = forgetting_of(run)
    assert found is not None
    assert found.moments[-1].epoch < EPOCHS
    run.losses[:, first_pruned(run.excluded, 0.05)] = np.nan
    again = forgetting_of(run)
    assert again is not None
    assert all(np.isnan(moment.early_loss) for moment in again.moments)
