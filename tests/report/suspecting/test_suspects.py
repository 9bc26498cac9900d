"""Suspected images: against loops over images, and on planted noise."""

import csv
import io
import math
import runpy
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import digits
from ies_mm.errors import ConfigError
from ies_mm.report.instances import Tables
from ies_mm.report.suspecting.as_csv import as_csv
from ies_mm.report.suspecting.ranking import rank, read_suspects
from work_dirs import (
    config_of,
    epoch_scalars,
    record,
    write_instances,
    write_records,
    write_start,
)

TOOL = Path(__file__).resolve().parents[3] / 'tools' / 'label_errors.py'
NAN = math.nan


def tables_of(losses: NDArray, trained: NDArray | None = None) -> Tables:
    """Tables of losses (E, N, T)."""
    epochs, images, terms = losses.shape
    if trained is None:
        trained = np.ones((epochs, images), dtype=bool)
    return Tables(
        [f'{i}.png' for i in range(images)],
        [f'loss_{k}' for k in range(terms)],
        np.arange(1, epochs + 1),
        losses.astype(np.float32),
        trained,
    )


def mean(values: list[float]) -> float:
    known = [v for v in values if math.isfinite(v)]
    return sum(known) / len(known) if known else NAN


@pytest.mark.parametrize(('term', 'last'), [('sum', None), ('loss_1', 2)])
def test_images_are_ranked_by_their_mean_loss(
    term: str, last: int | None
) -> None:
    losses = np.random.default_rng(0).random((4, 6, 2)).astype(np.float32)
    losses[1:, 2], losses[:, 3], losses[2, 4, 1] = NAN, NAN, np.inf
    found = rank(tables_of(losses), [], term, last)
    loss, newest = [], []
    for image in range(6):
        values = [
            float(losses[epoch, image].astype(float).sum())
            if term == 'sum'
            else float(losses[epoch, image, 1])
            for epoch in range(4)[-(last or 4) :]
        ]
        loss.append(mean(values))
        newest.append(mean([v for v in values if math.isfinite(v)][-1:]))
    assert found.loss == pytest.approx(loss, nan_ok=True)
    assert found.last == pytest.approx(newest, nan_ok=True)
    known = [i for i in range(6) if math.isfinite(loss[i])]
    unknown = [i for i in range(6) if i not in known]
    by_hand = sorted(known, key=lambda i: -loss[i]) + unknown
    assert found.order.tolist() == by_hand


def test_a_dropped_last_batch_is_not_mastered() -> None:
    trained = np.array([[1, 1, 0], [1, 0, 1], [0, 1, 1]], dtype=bool)
    tables = tables_of(np.ones((3, 3, 1)), trained)
    records = [dict(epoch=e, excluded=int(e == 2)) for e in (1, 2, 3)]
    never = rank(tables, records).never_mastered
    assert never is not None
    assert never.tolist() == [True, False, True]
    assert (
        rank(tables, [r | dict(excluded=0) for r in records]).never_mastered
        is None
    )


def test_the_list_has_what_cleanlab_and_fiftyone_read() -> None:
    losses = np.array([[[0.1, 0.1], [1, 2], [NAN, NAN], [0.5, 0.1]]])
    found = rank(tables_of(losses), [])
    rows = list(csv.DictReader(io.StringIO(as_csv(found, share=0.25))))
    assert [row['filepath'] for row in rows] == [
        '1.png', '3.png', '0.png', '2.png',
    ]  # fmt: skip
    assert [int(row['rank']) for row in rows] == [1, 2, 3, 4]
    marked = [row['is_label_issue'] for row in rows]
    assert marked == ['True', 'False', 'False', 'False']
    quality = [float(row['label_quality']) for row in rows[:3]]
    expected = [math.exp(-3), math.exp(-0.6), math.exp(-0.2)]
    assert quality == pytest.approx(expected, rel=1e-5)
    assert float(rows[0]['mistakenness']) == pytest.approx(1 - quality[0])
    assert (rows[0]['loss_0'], rows[0]['loss_1']) == ('1', '2')
    assert rows[3]['label_quality'] == rows[3]['loss'] == ''


def test_an_image_never_observed_is_no_issue() -> None:
    losses = np.array([[[1.0], [NAN], [2.0], [NAN]]])
    found = rank(tables_of(losses), [])
    rows = list(csv.DictReader(io.StringIO(as_csv(found, share=1))))
    assert [(row['index'], row['is_label_issue']) for row in rows] == [
        ('2', 'True'), ('0', 'True'), ('1', 'False'), ('3', 'False'),
    ]  # fmt: skip


def test_a_term_called_loss_has_a_column_of_its_own() -> None:
    tables = tables_of(np.array([[[1.0, 9.0]]]))
    found = replace(rank(tables, []), terms=['loss', 'aux'])
    [row] = csv.DictReader(io.StringIO(as_csv(found, share=0)))
    assert [row[key] for key in ('loss', 'term:loss', 'aux')] == [
        '10', '1', '9',
    ]  # fmt: skip


@pytest.mark.parametrize('kind', ['symmetric', 'instance'])
def test_planted_errors_are_found(kind: str) -> None:
    """Precision at the planted number, which equals the recall."""
    labels = digits.with_noise(kind, seed=0)
    losses, _ = digits.trained(labels, seed=0)
    order = rank(digits.tables_of(losses), []).order
    assert digits.found_by(order, labels) >= 0.85


def call(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, 'argv', [str(TOOL), *arguments])
    runpy.run_path(str(TOOL), run_name='__main__')


def test_the_command_writes_the_list(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_records(tmp_path, [record(1), record(2)])
    names = ['a/x.png', 'a/y.png', 'a/z.png']
    losses = [[1.0, 3.0, 2.0], [1.0, 3.0, 4.5]]
    write_instances(tmp_path, names, [[1, 1, 1]] * 2, losses)
    call(monkeypatch, str(tmp_path))
    printed = capsys.readouterr().out.splitlines()
    assert 'in epochs 1 to 2' in printed[0]
    assert printed[1].split() == ['3.25', 'a/z.png']
    assert not any('keep_history' in line for line in printed)
    rows = (tmp_path / 'ies' / 'label_errors.csv').read_text().splitlines()
    assert [row.partition(',')[0] for row in rows[1:]] == [
        'a/z.png', 'a/y.png', 'a/x.png',
    ]  # fmt: skip


def test_epochs_that_were_not_kept_are_said(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_records(tmp_path, [record(1), record(2)])
    write_instances(tmp_path, ['x.png'], [[1]], first_epoch=2)
    call(monkeypatch, str(tmp_path))
    printed = capsys.readouterr().out
    assert 'in epoch 2, the highest' in printed
    assert 'with keep_history=True' in printed


@pytest.mark.parametrize(
    ('arguments', 'reason'),
    [
        (('--term', 'loss_rpn'), 'the run has sum, loss_cls, loss_bbox'),
        (('--share', '2'), '--share 2: give a number from 0 to 1'),
        (('--last', '0'), '0: give an integer >= 1'),
    ],
)
def test_bad_input_is_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    reason: str,
) -> None:
    write_records(tmp_path, [record(1)])
    write_instances(tmp_path, ['x.png'], [[1]])
    with pytest.raises(SystemExit) as left:
        call(monkeypatch, str(tmp_path), *arguments)
    assert left.value.code == 2
    [line] = capsys.readouterr().err.splitlines()
    assert reason in line
    assert not (tmp_path / 'ies' / 'label_errors.csv').exists()


def test_a_run_without_losses_is_told_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match='train with a selection hook'):
        read_suspects(tmp_path)


def test_records_of_an_earlier_training_are_refused(tmp_path: Path) -> None:
    write_records(tmp_path, [record(1)])
    write_instances(tmp_path, ['x.png'], [[1]])
    config = config_of(hook={})
    write_start(
        tmp_path, config, epoch_scalars({}, 1), stamp='20260101_100000'
    )
    assert read_suspects(tmp_path).names == ['x.png']
    write_start(
        tmp_path, config_of(), epoch_scalars({}, 1), stamp='20260102_100000'
    )
    with pytest.raises(ConfigError, match='not from the newest training'):
        read_suspects(tmp_path)


def test_epochs_between_two_scoring_passes_are_not_counted(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A training that mixes images scores them only every few epochs."""
    losses = [[NAN] * 2, [4.0, 1.0], [NAN] * 2, [2.0, 3.0], [NAN] * 2]
    write_records(tmp_path, [record(epoch) for epoch in range(1, 6)])
    write_instances(tmp_path, ['x.png', 'y.png'], [[1, 1]] * 5, losses)
    call(monkeypatch, str(tmp_path), '--last', '1')
    printed = capsys.readouterr().out.splitlines()
    assert 'in epoch 4, the highest' in printed[0]
    assert printed[1].split() == ['3', 'y.png']
    call(monkeypatch, str(tmp_path))
    printed = capsys.readouterr().out.splitlines()
    assert 'in epochs 2 to 4, the highest' in printed[0]
    assert not any('keep_history' in line for line in printed)


def test_a_run_that_observed_nothing_ranks_nobody() -> None:
    """Random removal observes no losses if a training mixes images."""
    with pytest.raises(ConfigError, match='no losses of any epoch'):
        rank(tables_of(np.full((3, 4, 1), NAN)), [])
