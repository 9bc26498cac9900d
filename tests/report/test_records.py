"""How records of an earlier start are handled."""

import json
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from ies_mm.report import RunRecords
from ies_mm.report.instances import read_tables
from runs import epochs_of, instances_of

IMAGES = ['data/a/1.jpg', 'data/a/2.jpg', 'data/b/3.jpg']


class Said(list):
    """Collects warnings."""


def records_of(
    folder: Path, said: Said | None = None, images: list[str] | None = None
) -> RunRecords:
    said = Said() if said is None else said
    return RunRecords(folder / 'ies', images or IMAGES, warn=said.append)


def add(
    records: RunRecords,
    epoch: int,
    terms: tuple[str, ...] = ('loss',),
    value: float | None = None,
) -> None:
    value = float(epoch) if value is None else value
    records.add(
        {'epoch': epoch, 'instances': 3},
        [*terms],
        torch.tensor([0, 2]),
        torch.full((2, len(terms)), value),
        torch.tensor([True, False, True]),
    )


END = {'epochs': 3, 'reason': 'planned'}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Three epochs of a finished training."""
    records = records_of(tmp_path)
    records.open()
    for epoch in (1, 2, 3):
        add(records, epoch)
    records.end(END)
    return tmp_path


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


def test_what_can_be_gone_on_with_is(run: Path) -> None:
    """Also from another folder, or with the last line cut off."""
    path = run / 'ies' / 'epochs.jsonl'
    path.write_text(path.read_text()[:-20])
    said = Said()
    moved = [image.replace('data', '/disk/of/mine') for image in IMAGES]
    records = records_of(run, said, moved)
    records.open(after=2)
    add(records, 3, value=7.0)
    records.end(END)
    assert said == []
    assert [record['epoch'] for record in epochs_of(run)] == [1, 2, 3]
    arrays = instances_of(run)
    assert arrays['identity'].tolist() == moved
    assert arrays['losses'][:, 0, 0].tolist() == [1, 2, 7]


def test_a_last_line_without_its_end(run: Path) -> None:
    path = run / 'ies' / 'epochs.jsonl'
    path.write_text(path.read_text().rstrip('\n'))
    records = records_of(run)
    records.open(after=3)
    add(records, 4)
    assert [record['epoch'] for record in epochs_of(run)] == [1, 2, 3, 4]


def test_arrays_alone(run: Path) -> None:
    (run / 'ies' / 'epochs.jsonl').unlink()
    records = records_of(run)
    records.open(after=3)
    add(records, 4)
    assert instances_of(run)['epochs'].tolist() == [1, 2, 3, 4]


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


def test_terms_in_another_order(tmp_path: Path) -> None:
    records = records_of(tmp_path)
    records.add(
        {'epoch': 1},
        ['a', 'b'],
        torch.tensor([0]),
        torch.tensor([[1.0, 2.0]]),
        torch.ones(3, dtype=torch.bool),
    )
    records = records_of(tmp_path)
    records.open(after=1)
    add(records, 2, terms=('b', 'a'))
    arrays = instances_of(tmp_path)
    assert arrays['terms'].tolist() == ['b', 'a']
    assert arrays['losses'][0, 0].tolist() == [2, 1]


def test_a_term_that_joined_after_the_checkpoint(run: Path) -> None:
    """It is in the file, but maybe not in the epoch trained again."""
    records = records_of(run)
    records.open(after=3)
    add(records, 4, terms=('loss', 'late'))
    assert instances_of(run)['losses'][:, 0, 1].tolist() == [0, 0, 0, 4]
    said = Said()
    records = records_of(run, said)
    records.open(after=3)
    add(records, 4)
    assert said == []
    assert instances_of(run)['terms'].tolist() == ['loss']
    assert instances_of(run)['epochs'].tolist() == [1, 2, 3, 4]


def test_a_folder_that_cannot_be_written_to_at_first(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next epoch does what failed at the start."""

    def full(*_: object) -> None:
        raise OSError(28, 'No space left on device')

    records = records_of(run)
    with monkeypatch.context() as patch:
        patch.setattr('ies_mm.report.records.replace', full)
        with pytest.raises(OSError, match='No space'):
            records.open(after=1)
        with pytest.raises(OSError, match='No space'):
            add(records, 2, value=7.0)
    add(records, 3, value=8.0)
    assert [record['epoch'] for record in epochs_of(run)] == [1, 2, 3]
    assert instances_of(run)['losses'][:, 0, 0].tolist() == [1, 7, 8]


def test_warnings_are_python_s_own_by_default(run: Path) -> None:
    (run / 'ies' / 'instances.npz').write_bytes(b'')
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter('always')
        RunRecords(run / 'ies', IMAGES).open(after=1)
    assert 'were moved to' in str(said[0].message)


def test_images_are_named_once_while_it_goes_on(tmp_path: Path) -> None:
    """When it ends, they move into the arrays; both are read alike."""
    folder = tmp_path / 'ies'
    records = records_of(tmp_path)
    records.open()
    add(records, 1)
    written = (folder / 'identity.npy').stat().st_ino
    add(records, 2)
    assert (folder / 'identity.npy').stat().st_ino == written
    assert 'identity' not in instances_of(tmp_path)
    assert read_tables(folder / 'instances.npz').identity == IMAGES
    assert not (folder / 'end.json').exists()
    records.end(END)
    assert sorted(path.name for path in folder.iterdir()) == [
        'end.json', 'epochs.jsonl', 'instances.npz',
    ]  # fmt: skip
    assert read_tables(folder / 'instances.npz').identity == IMAGES
    assert json.loads((folder / 'end.json').read_text()) == END


def test_a_run_that_goes_on_has_not_ended(run: Path) -> None:
    records_of(run).open(after=3)
    assert not (run / 'ies' / 'end.json').exists()


def test_lines_that_waited_are_written_at_the_end(tmp_path: Path) -> None:
    folder = tmp_path / 'ies'
    folder.write_text('in the way')
    records = records_of(tmp_path)
    with pytest.raises(OSError, match='ies'):
        add(records, 1)
    folder.unlink()
    records.end(END)
    assert [record['epoch'] for record in epochs_of(tmp_path)] == [1]
    assert instances_of(tmp_path)['epochs'].tolist() == [1]


def test_a_folder_that_was_put_aside_meanwhile(tmp_path: Path) -> None:
    records = records_of(tmp_path)
    records.open()
    add(records, 1)
    (tmp_path / 'ies').rename(tmp_path / 'ies_2')
    add(records, 2)
    assert read_tables(tmp_path / 'ies/instances.npz').identity == IMAGES
