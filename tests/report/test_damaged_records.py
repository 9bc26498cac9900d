"""Records that a resumed run cannot continue are put aside."""

import json
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ies_mm.report import RunRecords
from record_files import IMAGES, Said, add, finished, records_of
from runs import epochs_of, instances_of


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Three epochs of a finished training."""
    return finished(tmp_path)


def change_line(number: int, change: Callable[[dict], object]) -> Callable:
    def damage(folder: Path) -> None:
        path = folder / 'epochs.jsonl'
        lines = path.read_text().splitlines()
        lines[number] = json.dumps(change(json.loads(lines[number])))
        path.write_text('\n'.join(lines) + '\n')

    return damage


def change_arrays(**changes: Callable[[np.ndarray], np.ndarray]) -> Callable:
    def damage(folder: Path) -> None:
        with np.load(folder / 'instances.npz') as kept:
            arrays = {k: changes.get(k, np.copy)(kept[k]) for k in kept}
        np.savez(folder / 'instances.npz', **arrays)

    return damage


def write(name: str, content: bytes | int) -> Callable:
    """Write other content, or truncate to the first bytes."""

    def damage(folder: Path) -> None:
        path = folder / name
        other = path.read_bytes()[:content] if isinstance(content, int) else 0
        path.write_bytes(other or content)

    return damage


DAMAGES = {
    'npz cut off': (write('instances.npz', 300), 'cannot be read'),
    'npz empty': (write('instances.npz', b' '), 'cannot be read'),
    'npz of another dataset': (
        change_arrays(identity=lambda a: a[::-1]),
        'of another dataset: image 0 is data/b/3.jpg, here data/a/1.jpg',
    ),
    'npz of fewer images': (
        change_arrays(
            identity=lambda a: a[:2],
            losses=lambda a: a[:, :2],
            trained=lambda a: a[:, :2],
        ),
        'of a dataset of 2 images, here 3',
    ),
    'npz of another shape': (
        change_arrays(losses=lambda a: a[0]), 'losses is float32 (3, 1)',
    ),
    'npz of another type': (
        change_arrays(trained=lambda a: a.astype('U5')), 'trained is <U5',
    ),
    'npz without order': (
        change_arrays(epochs=lambda a: a[::-1]), 'epochs are not in order',
    ),
    'a line without epoch': (
        change_line(1, lambda r: {'instances': 3}), 'line 2 has epoch=None',
    ),
    'a line with a word': (
        change_line(0, lambda r: r | {'epoch': 'one'}), "has epoch='one'",
    ),
    'a line that is a list': (
        change_line(1, lambda r: [r]), 'line 2 is not a JSON object',
    ),
    'a line twice': (
        change_line(1, lambda r: r | {'epoch': 1}), 'line 2 is of epoch 1',
    ),
    'a line of other images': (
        change_line(2, lambda r: r | {'instances': 4}),
        'line 3 is of a dataset of 4 images, not 3',
    ),
    'lines that are no text': (
        write('epochs.jsonl', b'\xff\xfe\n' * 9), 'cannot be read',
    ),
    'lines of brackets': (
        write('epochs.jsonl', b'[' * 100_000 + b'\n{}\n'),
        'line 1 is not a JSON object',
    ),
}  # fmt: skip


@pytest.mark.parametrize('damage', DAMAGES)
def test_what_cannot_be_gone_on_with_is_put_aside(
    run: Path, damage: str
) -> None:
    """With one warning; nothing is deleted."""
    break_it, reason = DAMAGES[damage]
    break_it(run / 'ies')
    before = {p.name: p.read_bytes() for p in (run / 'ies').iterdir()}
    said = Said()
    records = records_of(run, said)
    records.open(after=2)
    add(records, 3)
    [warning] = said
    assert reason in warning
    assert '\n' not in warning
    [aside] = run.glob('ies_2*')
    assert str(aside) in warning
    assert {p.name: p.read_bytes() for p in aside.iterdir()} == before
    assert [record['epoch'] for record in epochs_of(run)] == [3]
    assert instances_of(run)['epochs'].tolist() == [3]


def test_of_another_model(run: Path) -> None:
    """The terms are only known with the first epoch."""
    said = Said()
    records = records_of(run, said)
    records.open(after=3)
    add(records, 4, terms=('loss_cls', 'loss_bbox'))
    [warning] = said
    assert 'has losses of loss, and this model has loss_cls, loss_bbox' in (
        warning
    )
    assert instances_of(run)['epochs'].tolist() == [4]
    [aside] = run.glob('ies_2*')
    assert len((aside / 'epochs.jsonl').read_text().splitlines()) == 3


def test_warnings_are_python_s_own_by_default(run: Path) -> None:
    (run / 'ies' / 'instances.npz').write_bytes(b'')
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter('always')
        RunRecords(run / 'ies', IMAGES).open(after=1)
    assert 'were moved to' in str(said[0].message)
