"""The gallery shows the images that its headings announce."""

from pathlib import Path

import numpy as np
import pytest

from ies_mm.errors import ConfigError
from ies_mm.report.reading.run_instances import (
    Instances,
    read_instances,
    times_reincluded,
)
from ies_mm.report.reading.runs import read_run
from ies_mm.report.showing.gallery import shelves
from work_dirs import ies_run, plain_run, write_instances

# One column per image, one row per epoch; 0: not trained.
TRAINED = [
    # a  b  c  d  e
    [1, 1, 1, 1, 1],
    [0, 1, 1, 1, 1],
    [0, 0, 1, 1, 1],
    [1, 0, 1, 1, 1],
    [0, 1, 0, 1, 1],
    [1, 1, 0, 1, 1],
    [1, 1, 1, 1, 1],
]
NAMES = ['a', 'b', 'c', 'd', 'e']
LOSSES = [[1.0, 1.0, 1.0, 2.0, 1.0]] * 6 + [[1.0, 1.0, 1.0, np.nan, 3.0]]


def instances_of(
    work_dir: Path, trained: list[list[int]], first_epoch: int = 1
) -> Instances:
    before = [0] * (first_epoch - 1)
    excluded = (*before, *(row.count(0) for row in trained))
    ies_run(work_dir, excluded=excluded)
    write_instances(
        work_dir, NAMES, trained, LOSSES[-len(trained) :], first_epoch
    )
    found = read_instances(read_run(work_dir))
    assert found is not None
    return found


def shelved(instances: Instances) -> dict[str, str]:
    return {
        shelf.title: ''.join(instances.names[i] for i in shelf.images)
        for shelf in shelves(instances)
    }


def test_a_whole_run(tmp_path: Path) -> None:
    assert shelved(instances_of(tmp_path, TRAINED)) == {
        'Pruned first': 'abc',
        'Pruned last': 'cba',
        # a twice, b once; c only when everything was trained again.
        'Most often re-included': 'ab',
        # By the last observed loss: 3, and 2 (unobserved afterwards).
        'Never pruned': 'ed',
    }


def test_losses_are_sums_of_terms(tmp_path: Path) -> None:
    instances = instances_of(tmp_path, TRAINED)
    assert instances.losses[0].tolist() == [1, 1, 1, 2, 1]
    assert instances.terms == ['loss_cls', 'loss_bbox']


def test_the_last_epochs_alone_tell_less(tmp_path: Path) -> None:
    assert shelved(instances_of(tmp_path, TRAINED[4:], first_epoch=5)) == {
        'Most often pruned in these epochs': 'ca',
        'Never pruned in these epochs': 'edb',
    }


def test_a_dropped_last_batch_is_not_excluded(tmp_path: Path) -> None:
    ies_run(tmp_path, excluded=(0, 1))
    write_instances(tmp_path, NAMES, [[1, 1, 1, 0, 1], [0, 1, 1, 1, 1]])
    instances = read_instances(read_run(tmp_path))
    assert instances is not None
    assert instances.excluded[:, 3].tolist() == [False, False]
    assert instances.excluded[:, 0].tolist() == [False, True]


def test_six_images_at_most(tmp_path: Path) -> None:
    names = [str(number) for number in range(20)]
    ies_run(tmp_path, excluded=(0, 10))
    rows = [[1] * 20, [0, 1] * 10]
    write_instances(tmp_path, names, rows)
    instances = read_instances(read_run(tmp_path))
    assert instances is not None
    assert all(len(shelf.images) == 6 for shelf in shelves(instances))


def test_ties_are_not_broken_by_class(tmp_path: Path) -> None:
    """Data sorted by class: all of the first 30 images are of one."""
    names = [str(number) for number in range(60)]
    ies_run(tmp_path, excluded=(0, 10))
    write_instances(tmp_path, names, [[1] * 60, [0, 1, 1] * 20])
    instances = read_instances(read_run(tmp_path))
    assert instances is not None
    first = shelves(instances)[0].images
    assert {image < 30 for image in first} == {True, False}
    assert shelves(instances)[0].images == first


def test_taken_back() -> None:
    excluded = np.array([[1, 1, 0], [0, 1, 1], [1, 0, 1], [0, 0, 0]], bool)
    assert times_reincluded(excluded).tolist() == [1, 1, 0]


def test_nothing_excluded_nothing_shown(tmp_path: Path) -> None:
    assert shelved(instances_of(tmp_path, [[1] * 5] * 4)) == {}


def test_a_run_that_kept_nothing(tmp_path: Path) -> None:
    assert read_instances(read_run(plain_run(tmp_path / 'a'))) is None
    assert read_instances(read_run(ies_run(tmp_path / 'b'))) is None


@pytest.mark.parametrize('content', [b'', b'PK\x03\x04 and so on'])
def test_a_damaged_file(tmp_path: Path, content: bytes) -> None:
    run = read_run(ies_run(tmp_path))
    (tmp_path / 'ies' / 'instances.npz').write_bytes(content)
    with pytest.raises(ConfigError, match=r'instances\.npz cannot be read'):
        read_instances(run)
