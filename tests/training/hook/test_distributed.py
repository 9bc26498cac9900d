"""Two processes, started by torchrun, that train together on the CPU."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from commands import in_two_processes
from distributed_configs import DETECTORS, frozen
from distributed_runs import PLAIN, RUNS, plain_hook
from ies_mm.report.dynamics import read_dynamics
from made_once import made_once
from runs import FixedSelection, epochs_of, instances_of, train, with_hook
from same_runs import EPOCHS, ITERATIONS, assert_equal, by_iterations
from task_runs import make_folders

TESTS = Path(__file__).parents[2]
IMAGES = dict.fromkeys(DETECTORS, 12)
SHARED = ('active', 'last', 'weight', 'history', 'parameters', 'epoch', 'iter')


@pytest.fixture(scope='module')
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_folders(tmp_path_factory.mktemp('folders'), 13)


@pytest.fixture(scope='module')
def results(
    voc: Path, folders: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Work directories of all runs, and each process's observations."""

    def make(results: Path) -> None:
        train(by_iterations(folders, results / 'one'), with_hook(everything()))
        in_two_processes(TESTS / 'distributed_runs.py', voc, folders, results)

    return made_once(tmp_path_factory, 'distributed', make)


def everything() -> FixedSelection:
    return FixedSelection({}, keep_history=True)


def seen(results: Path, name: str) -> list[dict[str, Any]]:
    return [
        torch.load(results / f'{name}-{rank}.pt', weights_only=False)
        for rank in (0, 1)
    ]


def numbers(batches: list[list[int]]) -> list[int]:
    return [number for batch in batches for number in batch]


@pytest.mark.timeout(600)
@pytest.mark.parametrize('name', RUNS)
def test_all_processes_know_and_learn_the_same(
    results: Path, name: str
) -> None:
    first, second = seen(results, name)
    for key in SHARED:
        assert_equal(second[key], first[key], key)


@pytest.mark.parametrize('name', RUNS)
def test_all_processes_have_equally_many_batches(
    results: Path, name: str
) -> None:
    first, second = seen(results, name)
    lengths = [len(batches) for batches in first['batches']]
    assert lengths == [len(batches) for batches in second['batches']]


@pytest.mark.parametrize(
    'name', ['classifier', 'detector', 'resized', 'random', 'soft']
)
def test_together_they_train_what_is_selected(
    results: Path, name: str
) -> None:
    """Each image once, except for padding to equal ranks."""
    first, second = seen(results, name)
    epochs = zip(
        first['active'], first['batches'], second['batches'], strict=True
    )
    counts = []
    for active, ours, theirs in epochs:
        trained = sorted(numbers(ours) + numbers(theirs))
        selected = np.flatnonzero(active).tolist()
        assert sorted(set(trained)) == selected
        assert len(trained) - len(selected) == len(selected) % 2
        assert 1 not in map(len, ours + theirs)
        counts.append(len(selected))
    assert 0 < min(counts) < IMAGES.get(name, 13)


def test_fewer_images_than_processes_become_batches(results: Path) -> None:
    """One of 13 images is left: two batches of two, for BatchNorm."""
    first, second = seen(results, 'classifier')
    assert [len(b) for b in first['batches'][2]] == [2]
    assert [len(b) for b in second['batches'][2]] == [2]
    assert sum(first['active'][2]) in (3, 4)
    assert first['active'][2][0]


@pytest.mark.parametrize('name', ['classifier', 'detector', 'endless'])
def test_records_are_written_once(results: Path, name: str) -> None:
    records = epochs_of(results / name)
    assert [r['epoch'] for r in records] == list(range(1, len(records) + 1))
    images = IMAGES.get(name, 13)
    for record in records:
        assert record['trained'] + record['excluded'] == images
        assert record['forward_only'] == record['excluded']
    trained = instances_of(results / name)['trained']
    assert trained.sum(axis=1).tolist() == [r['trained'] for r in records]


def test_spaced_looks_are_shared_too(results: Path) -> None:
    first, second = seen(results, 'spaced')
    records = epochs_of(results / 'spaced')
    pairs = zip(records, first['scored'], second['scored'], strict=True)
    scored = [(r['forward_only'], ours + theirs) for r, ours, theirs in pairs]
    assert all(counted == made for counted, made in scored)
    out = sum(record['excluded'] for record in records)
    assert 0 < sum(made for _, made in scored) < out


@pytest.mark.parametrize('name', PLAIN)
def test_images_that_are_mixed_are_scored_together(
    results: Path, name: str
) -> None:
    """Each image by one process, whichever trained it."""
    scored = [part['scored'] for part in seen(results, name)]
    images = IMAGES.get(name, 13)
    halves = [images - images // 2, images // 2]
    assert scored == [[0, half, 0, 0] for half in halves]
    losses = instances_of(results / name)['losses']
    assert np.isfinite(losses[1]).all()
    assert np.isnan(losses[[0, 2, 3]]).all()
    records = epochs_of(results / name)
    assert [r['excluded'] for r in records] == [0, 5, images - 8, 0]


@pytest.mark.parametrize('name', PLAIN)
def test_mixing_that_is_off_is_bit_identical_to_the_plain_run(
    results: Path, name: str
) -> None:
    for found in seen(results, f'{name}-off'):
        assert_equal(found['off'], found['plain'])


def test_processes_share_the_forward_passes(results: Path) -> None:
    first, second = seen(results, 'classifier')
    records = epochs_of(results / 'classifier')
    pairs = zip(records, first['scored'], second['scored'], strict=True)
    for record, ours, theirs in pairs:
        assert ours + theirs == record['excluded']
        assert abs(ours - theirs) <= 1


def test_processes_that_score_unequal_numbers_of_batches_do_not_wait(
    results: Path,
) -> None:
    """Five images in batches of two: two on one process, one on the other."""
    first, second = seen(results, 'resized')
    assert [first['scored'][1], second['scored'][1]] == [3, 2]


def test_losses_are_those_of_one_process(
    folders: Path, results: Path, tmp_path: Path
) -> None:
    """Trained or scored, repeated or not, an image's loss is the same."""
    train(frozen(folders, tmp_path), with_hook(plain_hook()))
    alone, together = (instances_of(p) for p in (tmp_path, results / 'frozen'))
    np.testing.assert_allclose(
        together['losses'], alone['losses'], rtol=1e-5, atol=1e-6
    )
    assert not np.isnan(alone['losses']).any()


def test_measuring_the_dynamics_changes_nothing(results: Path) -> None:
    """Both processes measure, one writes."""
    measured, plain = seen(results, 'measured'), seen(results, 'random')
    for ours, theirs in zip(measured, plain, strict=True):
        assert ours['batches'] == theirs['batches']
        assert_equal(ours['parameters'], theirs['parameters'])
    lines = read_dynamics(results / 'measured')
    assert [line['epoch'] for line in lines] == [0, 1, 2, 3, 4]
    images = [
        sum(len(numbers(one['batches'][epoch])) for one in measured)
        for epoch in range(4)
    ]
    found = [line['instances'] for line in lines]
    assert np.diff(found).tolist() == images


def test_processes_whose_full_epochs_differ_have_one_schedule(
    results: Path,
) -> None:
    """Of all images, one would have three batches, the other two."""
    first, second = seen(results, 'unrounded')
    assert first['rate'] == second['rate']
    assert_equal(first['parameters'], second['parameters'])


def test_with_everything_mastered_all_processes_end(results: Path) -> None:
    assert [part['epoch'] for part in seen(results, 'mastered')] == [3, 3]
    assert (results / 'mastered' / 'epoch_3.pth').exists()


def test_the_last_accumulated_step_is_made(results: Path) -> None:
    """Images of 4 epochs in batches of 4 by 2: 2 + 1 + 1 + 2 iterations."""
    first, _ = seen(results, 'accumulating')
    assert first['iter'] == 6


@pytest.mark.parametrize('loop', ['', '-endless', '-scored'])
def test_a_resumed_run_ends_as_the_uninterrupted_one(
    results: Path, loop: str
) -> None:
    """Also from the middle of a pass, keeping both ranks' losses.

    And with pruned images that are scored by BatchNorm's statistics.
    """
    names = (f'whole{loop}', f'resumed{loop}')
    for expected, found in zip(
        *(seen(results, n) for n in names), strict=True
    ):
        for key in ('last', 'weight', 'history', 'parameters', 'iter'):
            assert_equal(found[key], expected[key], key)
    expected, found = (instances_of(results / name) for name in names)
    epochs = len(found['losses'])
    assert 0 < epochs < len(expected['losses'])
    for key in ('losses', 'trained'):
        assert_equal(found[key], expected[key][-epochs:], key)


def test_one_process_goes_on_from_two_and_two_from_one(
    folders: Path, results: Path, tmp_path: Path
) -> None:
    """The remaining iterations, from the middle of a pass."""
    config = by_iterations(folders, tmp_path)
    config.resume = True
    config.load_from = str(results / 'two' / 'iter_8.pth')
    alone = train(config, with_hook(everything()))
    whole, _ = seen(results, 'two')
    joined, _ = seen(results, 'of-one')
    assert alone.iter == joined['iter'] == whole['iter'] == ITERATIONS
    rates = [alone.optim_wrapper.get_lr()['lr'], joined['rate']]
    assert rates == [whole['rate']] * 2
    for place in (tmp_path, results / 'of-one'):
        found = instances_of(place)
        assert found['trained'].all()
        assert np.isfinite(found['losses']).all()


def test_who_observes_sees_what_our_sampler_would_show(results: Path) -> None:
    """Two processes, an endless stream; neither run prunes anything."""
    [ours, _], [theirs, _] = (
        seen(results, name) for name in ('two', 'watched-endless')
    )
    assert_equal(theirs['parameters'], ours['parameters'])
    found, expected = (
        instances_of(results / name) for name in ('watched-endless', 'two')
    )
    assert_equal(found, expected)
    records = epochs_of(results / 'watched-endless')
    assert [r['trained'] for r in records] == [13] * len(records)


def test_who_observes_has_one_record_an_epoch(results: Path) -> None:
    records = epochs_of(results / 'watched')
    assert [r['epoch'] for r in records] == list(range(1, EPOCHS + 1))
    assert [r['trained'] for r in records] == [13] * EPOCHS
    assert instances_of(results / 'watched')['trained'].all()
