"""How records are written, and how a resumed run continues them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ies_mm.report.instances import excluded_in, read_tables
from record_files import END, IMAGES, Said, add, finished, records_of
from runs import epochs_of, instances_of


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Three epochs of a finished training."""
    return finished(tmp_path)


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


def test_a_run_of_an_earlier_version_goes_on(run: Path) -> None:
    """It did not write what was pruned, so that stays unknown."""
    records = records_of(run)
    records.open(after=3)
    records.add(
        {'epoch': 4, 'instances': 3},
        ['loss'],
        torch.tensor([0]),
        torch.ones(1, 1),
        torch.tensor([True, False, False]),
        excluded=torch.tensor([False, True, False]),
    )
    tables = read_tables(run / 'ies' / 'instances.npz')
    assert tables.excluded is None
    pruned = excluded_in(tables, [{'epoch': 4, 'excluded': 1}])
    assert pruned.any(axis=1).tolist() == [False, False, False, True]


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


@pytest.mark.parametrize('limit', [torch.tensor(0.5), np.float32(0.5)])
def test_numbers_of_a_method_of_one_s_own(tmp_path: Path, limit: Any) -> None:
    records = records_of(tmp_path)
    records.open()
    add(records, 1, limit=limit)
    records.end({})
    [line] = (tmp_path / 'ies' / 'epochs.jsonl').read_text().splitlines()
    assert json.loads(line)['limit'] == 0.5
